#include "run_files.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grapnel/base/error.h>
#include <grapnel/base/json.h>
#include <grapnel/checkpoint.h>

#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <vector>

#include "temp_dir.h"

namespace grapnel::random_test {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

// FNV-1a.
uint64_t digest(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325U) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  return hash;
}

// Of every weight's name and bytes, in the order of the names.
uint64_t digest(const StateDict& weights) {
  std::map<std::string, at::Tensor> sorted;
  for (const auto& [name, value] : weights) sorted[name] = value.to_tensor().contiguous();
  uint64_t hash = digest("");
  for (const auto& [name, tensor] : sorted) {
    hash = digest({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()},
                  digest(name, hash));
  }
  return hash;
}

std::string checkpoint_text(const fs::path& path) {
  try {
    const StateDict checkpoint = load_checkpoint_file(path);
    return fmt::format("a checkpoint of epoch {}, step {}, with the weights {:016x}",
                       checkpoint.at("epoch").to_int(), checkpoint.at("global_step").to_int(),
                       digest(checkpoint.at("state_dict").to_dict()));
  } catch (const Error& error) {
    return error.what();
  }
}

std::string csv_text(const std::string& content) {
  std::string text;
  std::vector<bool> kept;
  for (const std::string& line : split(content, '\n')) {
    const std::vector<std::string> cells = split(line, ',');
    if (kept.empty()) {
      for (const std::string& name : cells) kept.push_back(!is_measurement(name));
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i < kept.size() && kept[i]) text += cells[i] + ",";
    }
    text += "\n";
  }
  return text;
}

std::string json_lines_text(const std::string& content) {
  std::string text;
  for (const std::string& line : split(content, '\n')) {
    const ConfigValue row = parse_json(line, "metrics.jsonl");
    std::set<std::string> cells;
    for (const auto& member : row.as_object()) {
      if (!is_measurement(member.key)) {
        cells.insert(fmt::format("{} {}", member.key, write_json(member.value)));
      }
    }
    text += fmt::format("{}\n", fmt::join(cells, " "));
  }
  return text;
}

}  // namespace

RunFiles read_run_files(const fs::path& directory) {
  RunFiles files;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().lexically_relative(directory).string();
    if (name.starts_with("kept") || name.starts_with("stop")) continue;
    if (entry.is_symlink()) {
      files[name] = "a link to " + fs::read_symlink(entry.path()).string() + " (" +
                    (fs::exists(entry.path()) ? checkpoint_text(entry.path()) : "nothing") + ")";
    } else if (entry.is_regular_file()) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".ckpt") {
        files[name] = checkpoint_text(entry.path());
      } else if (extension == ".csv") {
        files[name] = csv_text(test::read_file(entry.path()));
      } else if (extension == ".jsonl") {
        files[name] = json_lines_text(test::read_file(entry.path()));
      } else {
        const std::string content = test::read_file(entry.path());
        files[name] =
            fmt::format("{} bytes with the digest {:016x}", content.size(), digest(content));
      }
    }
  }
  return files;
}

fs::path newest_kept(const fs::path& directory) {
  using Progress = std::tuple<int64_t, int64_t, fs::file_time_type>;
  std::optional<Progress> furthest;
  fs::path newest;
  if (!fs::exists(directory / "kept")) return newest;
  for (const auto& entry : fs::directory_iterator(directory / "kept")) {
    if (entry.is_symlink() || entry.path().extension() != ".ckpt" ||
        entry.path().filename().string().starts_with(".")) {
      continue;
    }
    const StateDict checkpoint = load_checkpoint_file(entry.path());
    const StateDict& batches =
        checkpoint.at("loops").to_dict().at("fit_loop").to_dict().at("batch_progress").to_dict();
    const Progress progress{checkpoint.at("global_step").to_int(),
                            batches.at("total").to_dict().at("completed").to_int(),
                            entry.last_write_time()};
    if (!furthest || progress > *furthest) {
      furthest = progress;
      newest = entry.path();
    }
  }
  return newest;
}

bool is_measurement(std::string_view metric) {
  for (const std::string_view part :
       {"eta_seconds", "data_wait", "memory/", "_per_sec", "train/time", "validate/time",
        "train|time", "validate|time"}) {
    if (metric.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace grapnel::random_test
