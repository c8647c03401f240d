#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>

#include <random>

#include "catch.h"
#include "temp_dir.h"

namespace digest_test {

using namespace grapnel;
using grapnel::test::TempDir;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(std::string(1000, 'a'));
  CHECK(hex(million.finish()) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest does not depend on how the text was split, and starts over after finish") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::string text(10'000, '\0');
  for (char& c : text) c = static_cast<char>(random());
  Sha256 hash;
  for (int round = 0; round < 5; ++round) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t size = std::min<std::size_t>(rest.size(), random() % 300);
      hash.update(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    CHECK(hash.finish() == sha256(text));
  }
}

TEST_CASE("a file's digest is that of its content") {
  const TempDir dir;
  const std::string content(1'000'003, 'q');
  CHECK(sha256_file(dir.write("f", content)) == sha256(content));
  CHECK(sha256_file(dir.write("empty", "")) == sha256(""));
  CHECK_THROWS_AS(sha256_file(dir / "missing"), IoError);
}

TEST_CASE("XXH3 gives the reference values, most significant digit first") {
  CHECK(hex(xxh3_64({})) == "2d06800538d394c2");
  const std::string_view text = "The quick brown fox jumps over the lazy dog";
  CHECK(hex(xxh3_64(std::as_bytes(std::span(text)))) == "ce7d19a5418fb365");
}

TEST_CASE("hexadecimal text goes there and back") {
  const std::string bytes("\x00\x01\xfe\xff", 4);
  CHECK(hex(std::as_bytes(std::span(bytes))) == "0001feff");
  CHECK(unhex("0001FEff") == bytes);
  CHECK(unhex("") == "");
  CHECK_FALSE(unhex("abc"));
  CHECK_FALSE(unhex("zz"));
  CHECK(hex(std::uint64_t{1}) == "0000000000000001");
}

}  // namespace digest_test
