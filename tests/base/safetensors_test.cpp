#include <grapnel/base/error.h>
#include <grapnel/base/safetensors.h>

#include <random>
#include <stdexcept>

#include "catch.h"
#include "temp_dir.h"
#include "tensor_samples.h"

namespace safetensors_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

std::string written(const SafetensorsWriter& writer) {
  std::string file;
  writer.write([&](std::span<const std::byte> piece) {
    file.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return file;
}

SafetensorsFile read_back(const SafetensorsWriter& writer) {
  return SafetensorsFile::from_bytes(to_bytes(written(writer)), "memory");
}

}  // namespace

TEST_CASE("tensors and metadata come back as they were written") {
  const auto weight = bytes_of<float>({1.5F, -2, 0, 4, 5, 6});
  const auto step = bytes_of<std::int64_t>({1234567890123});
  const auto mask = bytes_of<std::uint8_t>({1, 0, 1});
  SafetensorsWriter writer;
  writer.add({"mask", "BOOL", {3}, mask});
  writer.add({"model.weight \"é\"", "F32", {2, 3}, weight});
  writer.add({"step", "I64", {}, step});
  writer.add({"empty", "F64", {0, 7}, {}});
  writer.set_metadata("format", "pt");
  writer.set_metadata("note", "line\nbreak \"quoted\" 🎣");
  writer.set_metadata("format", "changed");
  const SafetensorsFile file = read_back(writer);
  CHECK(file.tensors().size() == 4);
  const TensorEntry* entry = file.find("model.weight \"é\"");
  REQUIRE(entry != nullptr);
  CHECK(entry->dtype == "F32");
  CHECK(entry->shape == std::vector<std::int64_t>{2, 3});
  CHECK(std::ranges::equal(file.bytes(*entry), weight));
  CHECK(std::ranges::equal(file.bytes(*file.find("step")), step));
  CHECK(file.find("step")->shape.empty());
  CHECK(std::ranges::equal(file.bytes(*file.find("mask")), mask));
  CHECK(file.bytes(*file.find("empty")).empty());
  CHECK(file.find("missing") == nullptr);
  CHECK(*file.metadata("note") == "line\nbreak \"quoted\" 🎣");
  CHECK(*file.metadata("format") == "changed");
  CHECK(file.metadata("missing") == nullptr);
}

TEST_CASE("the data of a safetensors file is aligned to 64 bytes and each tensor to its elements") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> dtypes = {"F64",     "F32", "F16", "BF16", "F8_E4M3",
                                           "F8_E5M2", "I64", "I32", "I16",  "I8",
                                           "U64",     "U32", "U16", "U8",   "BOOL"};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<std::byte>> data;
    SafetensorsWriter writer;
    for (int i = 0; i < 12; ++i) {
      const std::string& dtype = dtypes[random() % dtypes.size()];
      const std::size_t count = random() % 10;
      data.emplace_back(count * *dtype_size(dtype));
      writer.add({"t" + std::to_string(i), dtype, {static_cast<std::int64_t>(count)}, data.back()});
    }
    const SafetensorsFile file = read_back(writer);
    CHECK(file.data_offset() % 64 == 0);
    CHECK(file.file_size() == writer.file_size());
    for (const TensorEntry& tensor : file.tensors()) {
      CHECK((file.data_offset() + tensor.begin) % *dtype_size(tensor.dtype) == 0);
    }
  }
}

TEST_CASE("tensors of one element size keep the order in which they were added") {
  const auto data = bytes_of<std::uint8_t>({1});
  SafetensorsWriter writer;
  for (const char* name : {"z", "a", "m"}) writer.add({name, "U8", {1}, data});
  std::string order;
  const SafetensorsFile file = read_back(writer);
  for (const TensorEntry& tensor : file.tensors()) order += tensor.name;
  CHECK(order == "zam");
}

TEST_CASE("a safetensors file without tensors is valid") {
  const SafetensorsFile file = read_back(SafetensorsWriter());
  CHECK(file.tensors().empty());
  CHECK(file.metadata().empty());
}

TEST_CASE("a file on disk is read by mapping it and by copying it") {
  const TempDir dir;
  const auto data = bytes_of<double>({0.25, 0.5});
  SafetensorsWriter writer;
  writer.add({"x", "F64", {2}, data});
  const auto path = dir.write("x.safetensors", written(writer));
  for (const FileAccess access : {FileAccess::map, FileAccess::copy}) {
    const SafetensorsFile file = SafetensorsFile::open(path, access);
    const SafetensorsFile copy = file;  // shares the bytes
    CHECK(std::ranges::equal(copy.bytes(*copy.find("x")), data));
    CHECK(file.path() == path);
  }
  const SafetensorsFile stream = SafetensorsFile::open(path, FileAccess::stream);
  std::vector<std::byte> into(16);
  std::size_t seen = 0;
  stream.read(*stream.find("x"), into, [&](auto piece) { seen += piece.size(); });
  CHECK(seen == 16);
  CHECK(std::ranges::equal(into, data));
  CHECK_THROWS_AS(stream.bytes(*stream.find("x")), std::logic_error);
  CHECK_THROWS_AS(SafetensorsFile::open(dir.path(), FileAccess::stream), IoError);
  CHECK_THROWS_AS(SafetensorsFile::open(dir / "missing"), IoError);
  CHECK_THROWS_AS(SafetensorsFile::open(dir.path()), IoError);
}

TEST_CASE("a writer refuses what no reader would accept") {
  const auto data = bytes_of<float>({1, 2});
  SafetensorsWriter writer;
  writer.add({"x", "F32", {2}, data});
  CHECK_THROWS_WITH(writer.add({"x", "F32", {2}, data}), "tensor 'x' was added twice");
  CHECK_THROWS_WITH(writer.add({"y", "F32", {3}, data}),
                    "tensor 'y' has 8 bytes, its dtype and shape need 12");
  CHECK_THROWS_WITH(writer.add({"z", "float", {2}, data}),
                    "tensor 'z' has the unknown dtype 'float'");
  CHECK_THROWS_AS(writer.add({"", "F32", {2}, data}), std::invalid_argument);
  CHECK_THROWS_AS(writer.add({"__metadata__", "F32", {2}, data}), std::invalid_argument);
  CHECK_THROWS_AS(writer.add({"\xff", "F32", {2}, data}), std::invalid_argument);
  CHECK_THROWS_AS(writer.add({"n", "F32", {-2}, data}), std::invalid_argument);
  CHECK_THROWS_AS(writer.add({"o", "F32", {INT64_MAX, 16}, data}), std::invalid_argument);
  CHECK_THROWS_AS(writer.set_metadata("k", "\xff"), std::invalid_argument);
}

TEST_CASE("a safetensors header that readers would refuse is not written") {
  SafetensorsWriter writer;
  writer.set_metadata("k", std::string(100'000'000, 'x'));
  CHECK_THROWS_AS(written(writer), std::length_error);
}

TEST_CASE("many tensors are written and found in reasonable time") {
  const auto data = bytes_of<float>({1});
  SafetensorsWriter writer;
  for (int i = 0; i < 50'000; ++i) writer.add({"layer." + std::to_string(i), "F32", {1}, data});
  const SafetensorsFile file = read_back(writer);
  bool all = true;
  for (int i = 0; i < 50'000; ++i) all = all && file.find("layer." + std::to_string(i)) != nullptr;
  CHECK(all);
}

}  // namespace safetensors_test
