// What a run left on disk, checkpoints aside.
#include <grapnel/base/files.h>

#include <algorithm>
#include <vector>

#include "observe/observe.h"

namespace grapnel::oracle {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFile = std::uint64_t{64} << 20;

std::vector<fs::path> all_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_symlink() || entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.string() < b.string(); });
  return files;
}

}  // namespace

Json observe_files(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::path& file : all_files(directory)) {
    std::string name = file.lexically_relative(directory).generic_string();
    if (fs::is_symlink(file)) name += " -> " + fs::read_symlink(file).generic_string();
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Json observe_json_files(const fs::path& directory) {
  Json result = Json::object();
  for (const fs::path& file : all_files(directory)) {
    if (file.extension() == ".json") {
      result.set(file.lexically_relative(directory).generic_string(), read_json_file(file));
    }
  }
  return result;
}

Json observe_csv(const fs::path& directory) {
  for (const fs::path& file : all_files(directory)) {
    if (file.filename() == "metrics.csv") return read_file(file, kMaxFile);
  }
  return {};
}

}  // namespace grapnel::oracle
