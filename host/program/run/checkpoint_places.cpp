#include "checkpoint_places.h"

#include <algorithm>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

#include "run_directory.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtension = ".ckpt";

fs::path normal(const fs::path& path) {
  return fs::absolute(path).lexically_normal();
}

// What is noted: relative where both move together, else absolute.
std::string noted_directory(const fs::path& run_directory, const fs::path& directory) {
  const fs::path relative = normal(directory).lexically_relative(normal(run_directory));
  const auto levels_up = std::count(relative.begin(), relative.end(), "..");
  return relative.empty() || levels_up > 1 ? normal(directory).string() : relative.string();
}

std::vector<CheckpointPlace> noted_places(const fs::path& run_directory) {
  const fs::path file = run_directory / kPlacesFile;
  std::vector<CheckpointPlace> places;
  std::error_code error;
  if (!fs::exists(file, error)) return places;
  try {
    const ConfigValue notes = read_json_file(file);
    for (const ConfigValue& note : notes.at("checkpoints").as_array()) {
      places.push_back({(run_directory / note.at("directory").as_string()).lexically_normal(),
                        note.at("extension").as_string()});
    }
  } catch (const Error& failure) {
    log_warning("the places of this run's checkpoints can't be read: {}", failure.what());
  }
  return places;
}

bool is_same(const CheckpointPlace& a, const CheckpointPlace& b) {
  return a.extension == b.extension && normal(a.directory) == normal(b.directory);
}

}  // namespace

std::vector<CheckpointPlace> checkpoint_places(const fs::path& run_directory) {
  std::vector<CheckpointPlace> places = {{run_directory / kCheckpointsDirectory, kExtension}};
  for (CheckpointPlace& place : noted_places(run_directory)) places.push_back(std::move(place));
  return places;
}

void note_checkpoint_place(const fs::path& run_directory, const fs::path& checkpoint) {
  const CheckpointPlace place = {checkpoint.parent_path(), checkpoint.extension().string()};
  std::vector<CheckpointPlace> places = checkpoint_places(run_directory);
  const auto known = [&](const CheckpointPlace& other) { return is_same(place, other); };
  if (std::any_of(places.begin(), places.end(), known)) return;
  places.push_back(place);
  ConfigValue list = ConfigValue::array();
  for (const CheckpointPlace& each : places) {
    ConfigValue note = ConfigValue::object();
    note.set("directory", noted_directory(run_directory, each.directory));
    note.set("extension", each.extension);
    list.append(std::move(note));
  }
  ConfigValue notes = ConfigValue::object();
  notes.set("checkpoints", std::move(list));
  write_file(run_directory / kPlacesFile, write_json(notes, JsonStyle::pretty), Durability::fast);
}

}  // namespace grapnel::program
