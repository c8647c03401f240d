#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/platform.h>

#include <limits>
#include <stdexcept>

#include "catch.h"
#include "temp_dir.h"
#include "tensor_samples.h"

namespace checkpoint_file_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const std::vector<std::byte>& weight() {
  static const auto bytes = bytes_of<float>({1, 2, 3, 4});
  return bytes;
}

const std::vector<std::byte>& rng() {
  static const auto bytes = bytes_of<std::uint8_t>({7, 8, 9});
  return bytes;
}

ConfigValue sample_document() {
  ConfigValue document = ConfigValue::object();
  document.set("global_step", 12);
  document.set("lr", 0.1);
  document.set("best", -std::numeric_limits<double>::infinity());
  document.set("keys", ConfigValue::object()).set("a.b/{\"monitor\": \"x\"}", 0);
  return document;
}

std::vector<TensorView> sample_tensors() {
  return {{"rng.cpu", "U8", {3}, rng()}, {"model.weight", "F32", {2, 2}, weight()}};
}

}  // namespace

TEST_CASE("tensors and document come back as they were written") {
  const TempDir dir;
  const auto path = dir / "last.ckpt";
  const WrittenCheckpoint written =
      write_checkpoint_file(path, sample_tensors(), sample_document());
  CHECK(written.bytes == std::filesystem::file_size(path));
  for (const auto check : {CheckpointCheck::whole_file, CheckpointCheck::on_use}) {
    const CheckpointFile file = CheckpointFile::open(path, check);
    CHECK(file.format_version() == checkpoint_format_version);
    CHECK(file.document().at("global_step").as_int() == 12);
    CHECK(file.document().at("best").as_double() == -std::numeric_limits<double>::infinity());
    CHECK(file.document().at("keys").contains("a.b/{\"monitor\": \"x\"}"));
    CHECK_FALSE(file.document().contains("format_version"));
    CHECK(file.tensors().size() == 2);
    CHECK(std::ranges::equal(file.bytes(file.at("model.weight")), weight()));
    CHECK(std::ranges::equal(file.bytes(file.at("rng.cpu")), rng()));
    CHECK(file.find("grapnel.header_sha256") == nullptr);
    CHECK(file.sha256() == written.sha256);
    CHECK(file.file_size() == written.bytes);
    CHECK(file.checksum(file.at("rng.cpu")) == hex(xxh3_64(rng())));
    CHECK(file.damaged_tensors().empty());
  }
}

TEST_CASE("a checkpoint ends with the SHA-256 of every byte before its data") {
  const TempDir dir;
  const auto path = dir / "c.ckpt";
  write_checkpoint_file(path, sample_tensors(), sample_document());
  const std::string content = test::read_file(path);
  const std::string digest = content.substr(content.size() - 32);
  const auto header = content.substr(0, SafetensorsFile::open(path).data_offset());
  CHECK(unhex(hex(sha256(header))) == digest);
}

TEST_CASE("a checkpoint is a plain safetensors file with aligned data") {
  const TempDir dir;
  const auto path = dir / "c.ckpt";
  write_checkpoint_file(path, sample_tensors(), sample_document());
  const SafetensorsFile file = SafetensorsFile::open(path);
  CHECK(file.data_offset() % 64 == 0);
  CHECK(file.tensors().back().name == "grapnel.header_sha256");
  CHECK(file.tensors().back().shape == std::vector<std::int64_t>{32});
  REQUIRE(file.metadata("grapnel") != nullptr);
  CHECK(file.metadata("grapnel")->starts_with("{\"format_version\":1,"));
}

TEST_CASE("the same content gives the same checkpoint file, byte for byte") {
  const TempDir dir;
  write_checkpoint_file(dir / "a", sample_tensors(), sample_document());
  write_checkpoint_file(dir / "b", sample_tensors(), sample_document(), Durability::fast);
  CHECK(test::read_file(dir / "a") == test::read_file(dir / "b"));
}

TEST_CASE("a checkpoint without tensors and one with empty tensors are whole") {
  const TempDir dir;
  write_checkpoint_file(dir / "a", {}, ConfigValue::object());
  CHECK(CheckpointFile::open(dir / "a").tensors().empty());
  const std::vector<TensorView> empty = {{"e", "F32", {0, 3}, {}}, {"f", "U8", {0}, {}}};
  write_checkpoint_file(dir / "b", empty, ConfigValue::object());
  const CheckpointFile file = CheckpointFile::open(dir / "b");
  CHECK(file.bytes(file.at("e")).empty());
  CHECK(file.bytes(file.at("f")).empty());
}

TEST_CASE("a missing tensor names the nearest one") {
  const TempDir dir;
  write_checkpoint_file(dir / "a", sample_tensors(), sample_document());
  const CheckpointFile file = CheckpointFile::open(dir / "a");
  CHECK(file.find("model.wieght") == nullptr);
  CHECK_THROWS_WITH(file.at("model.wieght"),
                    Catch::Contains("no tensor 'model.wieght'; did you mean 'model.weight'?"));
}

TEST_CASE("content that a checkpoint file cannot hold is refused before anything is written") {
  const TempDir dir;
  const auto path = dir.write("c.ckpt", "old");
  const std::vector<TensorView> reserved = {{"grapnel.checksum", "U8", {3}, rng()}};
  CHECK_THROWS_AS(write_checkpoint_file(path, reserved, sample_document()), std::invalid_argument);
  const std::vector<TensorView> wrong = {{"a", "F32", {3}, rng()}};
  CHECK_THROWS_AS(write_checkpoint_file(path, wrong, sample_document()), std::invalid_argument);
  CHECK_THROWS_AS(write_checkpoint_file(path, {}, ConfigValue(5)), std::invalid_argument);
  ConfigValue versioned = ConfigValue::object();
  versioned.set("format_version", 7);
  CHECK_THROWS_AS(write_checkpoint_file(path, {}, versioned), std::invalid_argument);
  ConfigValue deep;
  for (int i = 0; i < 600; ++i) {
    ConfigValue outer = ConfigValue::array();
    outer.append(std::move(deep));
    deep = std::move(outer);
  }
  ConfigValue document = ConfigValue::object();
  document.set("deep", deep);
  CHECK_THROWS_AS(write_checkpoint_file(path, {}, document), std::invalid_argument);
  ConfigValue twice = ConfigValue::object();
  twice.as_object() = {{"a", 1}, {"b", 2}, {"a", 3}};
  CHECK_THROWS_WITH(write_checkpoint_file(path, {}, twice), Catch::Contains("'a' twice"));
  CHECK(test::read_file(path) == "old");
}

TEST_CASE("a document as deep as a reader takes is written") {
  const TempDir dir;
  ConfigValue deep = 1;
  for (int depth = 1; depth < 512; ++depth) {
    ConfigValue outer = ConfigValue::array();
    outer.append(std::move(deep));
    deep = std::move(outer);
  }
  ConfigValue document = ConfigValue::object();
  document.set("deep", deep);
  write_checkpoint_file(dir / "c.ckpt", {}, document);
  CHECK(CheckpointFile::open(dir / "c.ckpt").document() == document);
  document.set("deep", ConfigValue(ConfigValue::Array{deep}));
  CHECK_THROWS_WITH(write_checkpoint_file(dir / "c.ckpt", {}, document), Catch::Contains("512"));
}

TEST_CASE("an open checkpoint stays readable when the file is replaced") {
  const TempDir dir;
  const auto path = dir / "c.ckpt";
  write_checkpoint_file(path, sample_tensors(), sample_document());
  const CheckpointFile file = CheckpointFile::open(path);
  write_checkpoint_file(path, {}, ConfigValue::object());
  CHECK(std::ranges::equal(file.bytes(file.at("model.weight")), weight()));
  CHECK(file.damaged_tensors().empty());
}

}  // namespace checkpoint_file_test
