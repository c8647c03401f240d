// Forged, damaged and cut safetensors files are errors, never crashes.
#include <grapnel/base/error.h>
#include <grapnel/base/safetensors.h>

#include <random>

#include "catch.h"
#include "temp_dir.h"
#include "tensor_samples.h"

namespace safetensors_hostile_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// What is said about a file; reads every tensor of one that is accepted.
std::string verdict(std::vector<std::byte> bytes) {
  try {
    const SafetensorsFile file = SafetensorsFile::from_bytes(std::move(bytes), "f");
    std::size_t sum = 0;
    for (const TensorEntry& tensor : file.tensors()) {
      for (const std::byte byte : file.bytes(tensor)) sum += std::to_integer<std::size_t>(byte);
    }
    return "accepted " + std::to_string(sum);
  } catch (const DataError& error) {
    return error.detail;
  }
}

std::string header_verdict(std::string_view header, std::size_t data_size = 0) {
  return verdict(forged(header, data_size));
}

std::vector<std::byte> small_file() {
  static const auto a = bytes_of<float>({1, 2, 3});
  static const auto b = bytes_of<std::uint8_t>({9});
  SafetensorsWriter writer;
  writer.set_metadata("k", "v");
  writer.add({"a", "F32", {3}, a});
  writer.add({"b", "U8", {1}, b});
  std::vector<std::byte> file;
  writer.write([&](std::span<const std::byte> piece) {
    file.insert(file.end(), piece.begin(), piece.end());
  });
  return file;
}

}  // namespace

TEST_CASE("a good file is accepted, so that the refusals below mean something") {
  CHECK(verdict(small_file()).starts_with("accepted"));
  CHECK(header_verdict(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}   )", 2)
            .starts_with("accepted"));
  CHECK(header_verdict("{}").starts_with("accepted"));
}

TEST_CASE("a file cut at any length is refused") {
  const std::vector<std::byte> file = small_file();
  for (std::size_t size = 0; size < file.size(); ++size) {
    INFO(size);
    const std::string what = verdict({file.begin(), file.begin() + static_cast<long>(size)});
    CHECK_FALSE(what.starts_with("accepted"));
    if (size > 8) CHECK_THAT(what, Catch::StartsWith("truncated"));
  }
}

TEST_CASE("a header's length is checked before it is believed") {
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100'000'001}, std::uint64_t{1} << 32,
        std::uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
    std::vector<std::byte> file = forged("{}", 100);
    for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(length >> (8 * i));
    INFO(length);
    CHECK_THAT(verdict(file), Catch::Contains("not a safetensors file"));
  }
}

TEST_CASE(
    "a header that is larger than is accepted is told apart from another format, and not read") {
  const TempDir dir;
  const std::uint64_t length = SafetensorsFile::max_header_bytes + 64;
  std::string start(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(length >> (8 * i));
  const auto path = dir.write("large.safetensors", start + "{");
  std::filesystem::resize_file(path, 8 + length + 100);  // of holes
  for (const auto access : {FileAccess::map, FileAccess::stream}) {
    CHECK_THROWS_WITH(SafetensorsFile::open(path, access),
                      Catch::Contains("its header has 100000064 bytes, at most 100000000 are"));
  }
  std::filesystem::resize_file(path, 100);
  CHECK_THROWS_WITH(SafetensorsFile::open(path), Catch::Contains("not a safetensors file"));
}

TEST_CASE("offsets that overlap, leave holes, run backwards or leave the file are refused") {
  const auto two = [](const char* first, const char* second, std::size_t data) {
    return header_verdict(std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)") + first +
                              R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
                          data);
  };
  CHECK(two("[0,4]", "[4,8]", 8).starts_with("accepted"));
  CHECK(two("[4,8]", "[0,4]", 8).starts_with("accepted"));
  CHECK_THAT(two("[0,4]", "[0,4]", 8), Catch::Contains("overlaps"));
  CHECK_THAT(two("[0,4]", "[2,6]", 6), Catch::Contains("overlaps"));
  CHECK_THAT(two("[0,4]", "[5,9]", 9), Catch::Contains("leaves a hole"));
  CHECK_THAT(two("[1,5]", "[5,9]", 9), Catch::Contains("leaves a hole"));
  CHECK_THAT(two("[0,4]", "[4,8]", 7), Catch::Contains("truncated"));
  CHECK_THAT(two("[0,4]", "[4,8]", 9), Catch::Contains("belong to no tensor"));
  CHECK_THAT(two("[4,0]", "[4,8]", 8), Catch::Contains("end before they begin"));
  CHECK_THAT(two("[-4,0]", "[4,8]", 8), Catch::Contains("negative"));
  CHECK_THAT(two("[0,4.0]", "[4,8]", 8), Catch::Contains("must be an integer"));
  CHECK_THAT(two("[0,4,8]", "[4,8]", 8), Catch::Contains("[begin, end]"));
  CHECK_THAT(two("[0,18446744073709551615]", "[4,8]", 8), Catch::Contains("64-bit"));
  CHECK_THAT(two("[9223372036854775800,9223372036854775804]", "[0,4]", 4),
             Catch::Contains("leaves a hole"));
}

TEST_CASE("shapes that overflow, are negative or don't match the bytes are refused") {
  const auto shape = [](const char* text, const char* offsets) {
    return header_verdict(std::string(R"({"a":{"dtype":"F64","shape":)") + text +
                              R"(,"data_offsets":)" + offsets + "}}",
                          8);
  };
  CHECK(shape("[1]", "[0,8]").starts_with("accepted"));
  CHECK_THAT(shape("[2]", "[0,8]"), Catch::Contains("need 16"));
  CHECK_THAT(shape("[-1]", "[0,8]"), Catch::Contains("negative or too large"));
  CHECK_THAT(shape("[4611686018427387904,4]", "[0,8]"), Catch::Contains("too large"));
  CHECK_THAT(shape("[2305843009213693953]", "[0,8]"), Catch::Contains("too large"));
  CHECK_THAT(shape("[0,9223372036854775807,9223372036854775807]", "[0,0]"),
             Catch::Contains("too large"));
  CHECK_THAT(shape("[1.5]", "[0,8]"), Catch::Contains("must be an integer"));
  CHECK_THAT(shape("8", "[0,8]"), Catch::Contains("must be an array"));
  std::string many = "[1";
  for (int i = 0; i < 100; ++i) many += ",1";
  CHECK_THAT(shape((many + "]").c_str(), "[0,8]"), Catch::Contains("64 dimensions"));
}

TEST_CASE("headers that are not what the format says are refused") {
  CHECK_THAT(header_verdict("[]"), Catch::Contains("not a safetensors file"));
  CHECK_THAT(header_verdict("{\"a\":1}"), Catch::Contains("must be an object"));
  CHECK_THAT(header_verdict("{\"a\":{}}"), Catch::Contains("'dtype' is missing"));
  CHECK_THAT(header_verdict(R"({"a":{"dtype":"Q8","shape":[],"data_offsets":[0,1]}})", 1),
             Catch::Contains("unknown dtype 'Q8'"));
  CHECK_THAT(header_verdict(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}})", 1),
             Catch::Contains("unknown key 'x'"));
  CHECK_THAT(header_verdict(R"({"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1),
             Catch::Contains("no name"));
  CHECK_THAT(header_verdict(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                            R"("a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
                            1),
             Catch::Contains("appears twice"));
  CHECK_THAT(header_verdict(R"({"__metadata__":{"k":5}})"), Catch::Contains("must be a string"));
  CHECK_THAT(header_verdict(R"({"__metadata__":[]})"), Catch::Contains("must be an object"));
  CHECK_THAT(header_verdict("{\"a\":{\"dtype\":\"\xff\"}}"), Catch::Contains("UTF-8"));
  CHECK_THAT(header_verdict("{} x"), Catch::Contains("bad header"));
}

TEST_CASE("deep and huge headers are refused before they cost much") {
  CHECK_THAT(
      header_verdict("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
      Catch::Contains("nested deeper"));
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 200'000; ++i) many += ",0";
  CHECK_THAT(header_verdict(many + "]}"), Catch::Contains("must be an object"));
}

TEST_CASE("names in errors about tensors cannot drive a terminal") {
  CHECK(header_verdict(R"({"\u001b[2J":{"dtype":"\u001b[31m","shape":[],"data_offsets":[0,1]}})", 1)
            .find('\x1b') == std::string::npos);
}

TEST_CASE("every single changed byte of a header is an error or still within bounds") {
  const std::vector<std::byte> file = small_file();
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (int n = 0; n < 24; ++n) {
      std::vector<std::byte> changed = file;
      changed[i] = static_cast<std::byte>(random());
      CHECK_NOTHROW(verdict(std::move(changed)));  // any exception but DataError would go through
    }
  }
}

}  // namespace safetensors_hostile_test
