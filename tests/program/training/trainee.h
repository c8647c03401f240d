// A user of `grapnel` (tests/program/grapnel_user.h) who trains: short runs on the embedded digits.
#pragma once

// What add_plugin() of plugin_world.h copies; it is not used here.
#ifndef PLAIN_PLUGIN
#define PLAIN_PLUGIN ""
#endif

#include <filesystem>
#include <string>
#include <vector>

#include <grapnel/base/checkpoint_file.h>

#include "../grapnel_user.h"
#include "catch.h"

namespace grapnel::test {

class Trainee : public GrapnelUser {
 public:
  // Makes a file in the working directory.
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    return dir.write(std::filesystem::path("project") / name, content);
  }
  std::filesystem::path here(const std::filesystem::path& name) const {
    return directories.project / name;
  }

  // A plugin of the build, copied into the directory that is searched.
  void drop_in(const std::string& id) const {
    namespace fs = std::filesystem;
    for (const char* ending : {".so", ".grapnel.json"}) {
      fs::path file = fs::path(PLUGIN_DIRECTORY) / (id + ending);
      if (!fs::exists(file)) file = fs::path(HOSTILE) / id / (id + ending);
      fs::copy_file(file, plugins() / file.filename());
    }
  }

  // A fit of so many epochs of ten batches each.
  ProcessResult fit(int epochs, const Arguments& more = {}) const {
    Arguments arguments = {"fit", "--set", "trainer.max_epochs=" + std::to_string(epochs), "--set",
                           "trainer.limit_train_batches=10"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  // The same, which must succeed, as its answer in JSON.
  ConfigValue fit_json(int epochs, Arguments more = {}) const {
    more.push_back("--json");
    const ProcessResult result = fit(epochs, more);
    INFO(result.error);
    REQUIRE(result.exit_code == 0);
    return parse_json(result.output, "standard output");
  }
};

// Name and bytes of every tensor below "model.", "optimizers." and "callbacks.".
inline std::vector<std::pair<std::string, std::string>> tensors_of(
    const std::filesystem::path& checkpoint) {
  const CheckpointFile file = CheckpointFile::open(checkpoint);
  std::vector<std::pair<std::string, std::string>> tensors;
  for (const TensorEntry& entry : file.tensors()) {
    if (!entry.name.starts_with("model.") && !entry.name.starts_with("optimizers.") &&
        !entry.name.starts_with("callbacks.")) {
      continue;
    }
    const auto bytes = file.bytes(entry);
    tensors.emplace_back(entry.name,
                         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  return tensors;
}

}  // namespace grapnel::test
