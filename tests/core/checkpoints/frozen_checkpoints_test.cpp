// Checkpoints of version 1 of the format, which every later build must read bit for bit. A file's
// content is beside it, as lines "place <tab> value". Neither is ever written again; a new kind of
// content is a new file. docs/checkpoint_format.md is the specification.
#include "grapnel/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <sstream>

#include "catch.h"
#include "grapnel/base/digest.h"
#include "temp_dir.h"

namespace frozen_checkpoints_test {

using namespace grapnel;
namespace fs = std::filesystem;

namespace {

std::string text_of(const StateValue& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return value.to_bool() ? "true" : "false";
  if (value.is_int()) return fmt::format("integer {}", value.to_int());
  if (value.is_double()) {
    return fmt::format("number {}", hex(std::bit_cast<std::uint64_t>(value.to_double())));
  }
  if (value.is_string()) return "text " + hex(std::as_bytes(std::span(value.to_string())));
  if (value.is_list()) return fmt::format("list of {}", value.to_list().size());
  if (value.is_dict()) return fmt::format("dictionary of {}", value.to_dict().size());
  const at::Tensor& tensor = value.to_tensor();
  if (!tensor.defined()) return "no tensor";
  const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
  return fmt::format("{} [{}] {}", c10::toString(tensor.scalar_type()),
                     fmt::join(tensor.sizes(), ", "), hex(std::span(data, tensor.nbytes())));
}

void describe(const std::string& place, const StateValue& value, std::string& lines) {
  lines += place + "\t" + text_of(value) + "\n";
  if (value.is_list()) {
    for (std::size_t i = 0; i < value.to_list().size(); ++i) {
      describe(fmt::format("{}[{}]", place, i), value.to_list()[i], lines);
    }
  }
  if (!value.is_dict()) return;
  for (const auto& [key, element] : value.to_dict()) {
    describe(place + "/" + hex(std::as_bytes(std::span(key))), element, lines);
  }
}

std::vector<fs::path> frozen_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(FROZEN)) {
    if (entry.path().extension() == ".ckpt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string content_of(const fs::path& file) {
  std::string lines;
  describe("", load_checkpoint_file(file), lines);
  return lines;
}

}  // namespace

TEST_CASE("a checkpoint of format version 1 is read bit for bit, by every build") {
  const auto files = frozen_files();
  CHECK(files.size() >= 7);
  for (const fs::path& file : files) {
    INFO(file.filename().string());
    CHECK(content_of(file) == test::read_file(fs::path(file).replace_extension(".txt")));
    CHECK(CheckpointFile::open(file).format_version() == 1);
  }
}

TEST_CASE("a checkpoint of format version 1 keeps its content when it is written again") {
  const test::TempDir directory;
  for (const fs::path& file : frozen_files()) {
    INFO(file.filename().string());
    save_checkpoint_file(directory / "again.ckpt", load_checkpoint_file(file), Durability::fast);
    CHECK(content_of(directory / "again.ckpt") == content_of(file));
  }
}

}  // namespace frozen_checkpoints_test
