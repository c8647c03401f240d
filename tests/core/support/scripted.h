// What the tests of callbacks share: a module whose validation metric follows a script, the log, and the
// files that were written.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "captured_log.h"
#include "toy.h"

namespace grapnel::test {

// Logs values[min(epoch, last)] at the end of each validation; with no values, nothing.
class ScriptedModule : public ToyModule {
 public:
  explicit ScriptedModule(std::vector<double> values, std::string metric = "val_loss")
      : values_(std::move(values)), metric_(std::move(metric)) {}

  StepOutput validation_step(Batch&, int64_t, int64_t) override {
    ++validation_steps;
    return {};
  }
  void on_validation_epoch_end(Event& event) override {
    if (values_.empty()) return;
    const auto epoch = static_cast<size_t>(event.trainer.current_epoch());
    log(metric_, values_[std::min(epoch, values_.size() - 1)]);
  }

  int validation_steps = 0;

 private:
  std::vector<double> values_;
  std::string metric_;
};

// The files below a directory as relative paths; a link as "name -> target".
inline std::set<std::string> files_below(const std::filesystem::path& directory) {
  std::set<std::string> found;
  if (!std::filesystem::exists(directory)) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string name =
        std::filesystem::relative(entry.path().parent_path(), directory) / entry.path().filename();
    const std::string shown = std::filesystem::path(name).lexically_normal().string();
    if (entry.is_symlink()) {
      found.insert(shown + " -> " + std::filesystem::read_symlink(entry.path()).string());
    } else if (entry.is_regular_file()) {
      found.insert(shown);
    }
  }
  return found;
}

using Names = std::set<std::string>;

}  // namespace grapnel::test
