// A checkpoint that is damaged, cut, forged or something else is refused, with the reason.
#include <grapnel/base/checkpoint_file.h>

#include "catch.h"
#include "temp_dir.h"
#include "tensor_samples.h"

namespace checkpoint_damage_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// A small checkpoint's bytes.
std::string sample(const TempDir& dir) {
  const auto a = bytes_of<float>({1, 2, 3, 4});
  const auto b = bytes_of<std::int64_t>({5});
  const std::vector<TensorView> tensors = {{"model.a", "F32", {4}, a}, {"step", "I64", {}, b}};
  ConfigValue document = ConfigValue::object();
  document.set("epoch", 1);
  write_checkpoint_file(dir / "good.ckpt", tensors, document, Durability::fast);
  return test::read_file(dir / "good.ckpt");
}

std::string verdict(const std::filesystem::path& path,
                    CheckpointCheck check = CheckpointCheck::whole_file) {
  try {
    const CheckpointFile file = CheckpointFile::open(path, check, FileAccess::copy);
    for (const TensorEntry& tensor : file.tensors()) static_cast<void>(file.bytes(tensor));
    return "accepted";
  } catch (const CheckpointError& error) {
    CHECK(error.path == path);
    return error.what();
  }
}

// As the first builds wrote them, with a digest of the whole file.
std::string with_metadata(const SafetensorsMetadata& metadata) {
  SafetensorsWriter writer;
  for (const auto& [key, text] : metadata) writer.set_metadata(key, text);
  Sha256Digest digest{};
  writer.add({"grapnel.checksum", "U8", {32}, digest});
  std::string file;
  writer.write([&](std::span<const std::byte> piece) {
    if (piece.data() == digest.data()) digest = sha256(file);
    file.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return file;
}

std::string checksum_of(std::string_view document) {
  return "{\"\":\"" + hex(xxh3_64(std::as_bytes(std::span(document)))) + "\"}";
}

}  // namespace

TEST_CASE("a checkpoint cut at any length is refused") {
  const TempDir dir;
  const std::string good = sample(dir);
  for (std::size_t size = 0; size < good.size(); ++size) {
    INFO(size);
    const auto path = dir.write("cut.ckpt", good.substr(0, size));
    CHECK(verdict(path) != "accepted");
    CHECK(verdict(path, CheckpointCheck::on_use) != "accepted");
  }
  CHECK_THAT(verdict(dir.write("c", good.substr(0, good.size() - 1))),
             Catch::Contains("truncated") && Catch::Contains("restore it from a copy"));
}

TEST_CASE("every changed byte of a checkpoint is found") {
  const TempDir dir;
  const std::string good = sample(dir);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    INFO(i);
    CHECK(verdict(dir.write("changed.ckpt", changed)) != "accepted");
  }
}

TEST_CASE("the tensors whose data changed are named, by both ways of checking") {
  const TempDir dir;
  std::string changed = sample(dir);
  const SafetensorsFile layout = SafetensorsFile::open(dir / "good.ckpt");
  changed[layout.data_offset() + layout.find("model.a")->begin] ^= 1;
  const auto path = dir.write("changed.ckpt", changed);
  CHECK_THAT(verdict(path), Catch::Contains("a checksum differs") &&
                                Catch::Contains("in the data of 'model.a'; restore"));
  CHECK_THAT(verdict(path, CheckpointCheck::on_use),
             Catch::Contains("the checksum of tensor 'model.a' differs"));
}

TEST_CASE(
    "a changed digest is distinguished from changed data, also where tensors are checked on use") {
  const TempDir dir;
  std::string changed = sample(dir);
  changed.back() ^= 1;
  const auto path = dir.write("c", changed);
  for (const auto check : {CheckpointCheck::whole_file, CheckpointCheck::on_use}) {
    CHECK_THAT(verdict(path, check), Catch::Contains("the SHA-256 of its header differs"));
  }
}

TEST_CASE(
    "a checkpoint with a digest of the whole file, as the first builds wrote it, is read and verified") {
  const TempDir dir;
  const std::string document = R"({"format_version":1})";
  const std::string good =
      with_metadata({{"grapnel", document}, {"grapnel.xxh3", checksum_of(document)}});
  CHECK(verdict(dir.write("good", good)) == "accepted");
  CHECK(CheckpointFile::open(dir / "good", CheckpointCheck::on_use).covers_header_last());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    INFO(i);
    CHECK(verdict(dir.write("changed", changed)) != "accepted");
  }
}

TEST_CASE(
    "a tensor is read and verified in one pass, from a file that was mapped, copied or is a stream") {
  const TempDir dir;
  std::string bytes = sample(dir);
  std::vector<std::byte> into(16);
  for (const auto access : {FileAccess::map, FileAccess::copy, FileAccess::stream}) {
    const auto file = CheckpointFile::open(dir / "good.ckpt", CheckpointCheck::on_use, access);
    file.read(file.at("model.a"), into);
    CHECK(std::ranges::equal(into, bytes_of<float>({1, 2, 3, 4})));
    CHECK_NOTHROW(file.verify());
    CHECK(file.file_size() == bytes.size());
  }
  const SafetensorsFile layout = SafetensorsFile::open(dir / "good.ckpt");
  bytes[layout.data_offset() + layout.find("model.a")->begin] ^= 1;
  const auto path = dir.write("changed.ckpt", bytes);
  for (const auto access : {FileAccess::map, FileAccess::copy, FileAccess::stream}) {
    CHECK_THROWS_AS(CheckpointFile::open(path, CheckpointCheck::whole_file, access),
                    CheckpointError);
    const auto file = CheckpointFile::open(path, CheckpointCheck::on_use, access);
    CHECK_THROWS_WITH(file.read(file.at("model.a"), into),
                      Catch::Contains("the checksum of tensor 'model.a' differs"));
  }
}

TEST_CASE("a stream that is cut while it is read is refused, not a crash") {
  const TempDir dir;
  sample(dir);
  const auto path = dir / "good.ckpt";
  const auto file = CheckpointFile::open(path, CheckpointCheck::on_use, FileAccess::stream);
  std::filesystem::resize_file(path, file.file_size() - 50);
  std::vector<std::byte> into(16);
  CHECK_THROWS_AS(file.read(file.at("model.a"), into), CheckpointError);
  CHECK_THROWS_WITH(file.verify(), Catch::Contains("truncated while it was read"));
}

TEST_CASE("a changed document is found even where tensors are checked on use") {
  const TempDir dir;
  std::string changed = sample(dir);
  const std::size_t at = changed.find("\\\"epoch\\\":1");
  REQUIRE(at != std::string::npos);
  changed[at + 10] = '2';
  CHECK_THAT(verdict(dir.write("c", changed), CheckpointCheck::on_use),
             Catch::Contains("the checksum of its document differs"));
}

TEST_CASE("a file that is not a checkpoint is refused, saying what it is") {
  const TempDir dir;
  CHECK_THAT(verdict(dir.write("a", "")), Catch::Contains("not a checkpoint: it is empty"));
  CHECK_THAT(verdict(dir.write("b", "PK\x03\x04" + std::string(200, 'x'))),
             Catch::Contains("not a checkpoint: it is a zip archive") &&
                 Catch::Contains("safetensors.torch.save_file()"));
  CHECK_THAT(verdict(dir.write("c", "\x80\x02}q\x01" + std::string(200, 'x'))),
             Catch::Contains("Python pickle"));
  CHECK_THAT(verdict(dir.write("d", std::string(200, 'x'))),
             Catch::Contains("not a safetensors file"));
  SafetensorsWriter writer;
  const auto bytes = bytes_of<float>({1});
  writer.add({"w", "F32", {1}, bytes});
  std::string plain;
  writer.write([&](std::span<const std::byte> piece) {
    plain.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  CHECK_THAT(verdict(dir.write("e", plain)),
             Catch::Contains("not a checkpoint: it is a safetensors file of 1 tensors that grapnel "
                             "did not write"));
}

TEST_CASE(
    "a checkpoint of a newer format is refused with the advice to update, whatever else it holds") {
  const TempDir dir;
  CHECK_THAT(
      verdict(dir.write("c", with_metadata({{"grapnel", R"({"format_version":2,"new":[]})"}}))),
      Catch::Contains("format version 2, this grapnel reads up to 1; update grapnel"));
}

TEST_CASE("forged metadata is refused") {
  const TempDir dir;
  const auto forged_verdict = [&](const std::string& document, const std::string& checksums) {
    return verdict(
        dir.write("f", with_metadata({{"grapnel", document}, {"grapnel.xxh3", checksums}})));
  };
  const std::string good = R"({"format_version":1})";
  CHECK(forged_verdict(good, checksum_of(good)) == "accepted");
  CHECK_THAT(forged_verdict("{", "{}"), Catch::Contains("its document is damaged"));
  CHECK_THAT(forged_verdict("[]", "{}"), Catch::Contains("its document is damaged"));
  CHECK_THAT(forged_verdict("{}", "{}"), Catch::Contains("'format_version' is missing"));
  CHECK_THAT(forged_verdict(R"({"format_version":"1"})", "{}"),
             Catch::Contains("must be an integer"));
  CHECK_THAT(forged_verdict(R"({"format_version":0})", "{}"), Catch::Contains("version 0"));
  CHECK_THAT(forged_verdict(good, "{"), Catch::Contains("table of checksums is damaged"));
  CHECK_THAT(forged_verdict(good, R"({"":5})"), Catch::Contains("table of checksums is damaged"));
  CHECK_THAT(forged_verdict(good, "{}"), Catch::Contains("checksum of its document differs"));
  const std::string deep = R"({"format_version":1,"x":)" + std::string(100'000, '[');
  CHECK_THAT(forged_verdict(deep, "{}"), Catch::Contains("nested deeper"));
}

TEST_CASE("a checksum tensor that is missing, elsewhere or of another size is refused") {
  const TempDir dir;
  const std::string document = R"({"format_version":1})";
  const auto built = [&](const std::string& tensors, std::size_t data) {
    const std::string header =
        "{\"__metadata__\":{\"grapnel\":" + write_json(ConfigValue(document)) +
        ",\"grapnel.xxh3\":" + write_json(ConfigValue(checksum_of(document))) + "}" + tensors + "}";
    const auto bytes = forged(header, data);
    return verdict(dir.write("f", {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  };
  const auto tensor = [](std::string name, std::string dtype, int begin, int end, int size) {
    return ",\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + std::to_string(size) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  CHECK_THAT(built("", 0), Catch::Contains("its last tensor is not"));
  CHECK_THAT(built(tensor("grapnel.checksum", "U8", 0, 31, 31), 31),
             Catch::Contains("its last tensor is not"));
  CHECK_THAT(built(tensor("grapnel.checksum", "F64", 0, 32, 4), 32),
             Catch::Contains("its last tensor is not"));
  CHECK_THAT(built(tensor("grapnel.checksum", "U8", 0, 32, 32) + tensor("x", "U8", 32, 33, 1), 33),
             Catch::Contains("its last tensor is not"));
  CHECK_THAT(built(tensor("grapnel.checksum", "U8", 0, 32, 32), 32),
             Catch::Contains("a checksum differs"));
}

TEST_CASE("a file that cannot be read is an input error, not a bad checkpoint") {
  const TempDir dir;
  CHECK_THROWS_AS(CheckpointFile::open(dir / "missing.ckpt"), IoError);
  CHECK_THROWS_AS(CheckpointFile::open(dir.path()), IoError);
}

}  // namespace checkpoint_damage_test
