// Whatever ends a writer, the file under its name is the old checkpoint or the new one, whole.
#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/process.h>

#include <random>

#include "catch.h"
#include "temp_dir.h"

namespace checkpoint_atomic_test {

using namespace grapnel;
using grapnel::test::TempDir;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t tensor_size = 3'000'000;

ProcessResult run_child(std::vector<std::string> arguments, double deadline_seconds) {
  ProcessOptions options;
  options.program = BASE_CHILD;
  options.arguments = std::move(arguments);
  options.deadline_seconds = deadline_seconds;
  return run_process(options);
}

// The data must be the one that belongs to the document.
bool is_consistent(const fs::path& path) {
  const CheckpointFile file = CheckpointFile::open(path);
  const auto version = static_cast<std::size_t>(file.document().at("version").as_int());
  const auto bytes = file.bytes(file.at("model.weight"));
  for (std::size_t i = 0; i < bytes.size(); i += 997) {
    if (bytes[i] != static_cast<std::byte>(i * 31 + version)) return false;
  }
  return bytes.size() == tensor_size;
}

}  // namespace

TEST_CASE("a writer killed at a random moment leaves a whole checkpoint") {
  const TempDir dir;
  const auto path = dir / "last.ckpt";
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  int found = 0;
  for (int round = 0; round < 25; ++round) {
    const double deadline = 0.02 + 0.001 * static_cast<double>(random() % 60);
    const ProcessResult result =
        run_child({"rewrite", path.string(), std::to_string(tensor_size)}, deadline);
    REQUIRE(result.end == ProcessResult::End::timed_out);
    if (!fs::exists(path)) continue;  // killed before the first was finished
    ++found;
    CHECK(is_consistent(path));
  }
  // A slow machine may need longer for the first one; the test must not pass by finding nothing.
  if (found == 0) {
    run_child({"rewrite", path.string(), std::to_string(tensor_size)}, 20.0);
    CHECK(is_consistent(path));
  }
}

TEST_CASE("a full disk at any point leaves the old checkpoint and no temporary file") {
  const TempDir dir;
  const auto path = dir / "last.ckpt";
  constexpr std::size_t size = 300'000;
  const auto write = [&](std::size_t limit) {
    return run_child({"write-limited", path.string(), std::to_string(size), std::to_string(limit)},
                     60.0);
  };
  REQUIRE(write(1'000'000).exit_code == 0);
  const std::string old = test::read_file(path);
  for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{100},
                                  std::size_t{4096}, size / 2, old.size() - 33, old.size() - 1}) {
    INFO(limit);
    const ProcessResult result = write(limit);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.output, Catch::Contains("cannot write to '" + path.string() + "'") &&
                                  Catch::Contains("File too large") &&
                                  Catch::Contains("the file is as it was before"));
    CHECK(test::read_file(path) == old);
    CHECK(std::distance(fs::directory_iterator(dir.path()), {}) == 1);
  }
  CHECK(write(old.size()).exit_code == 0);
}

}  // namespace checkpoint_atomic_test
