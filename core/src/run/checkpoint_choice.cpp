#include "run/checkpoint_choice.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/checkpoint_order.h"

namespace grapnel {

namespace {

using Writers = std::vector<Checkpoint*>;

Writers writers_of(const std::vector<CallbackHandle>& callbacks) {
  Writers writers;
  for (const CallbackHandle& handle : callbacks) {
    if (auto* writer = dynamic_cast<Checkpoint*>(handle.callback.get())) writers.push_back(writer);
  }
  return writers;
}

std::filesystem::path best_of(const Writers& writers, std::string_view run, bool fast_dev_run) {
  if (writers.size() > 1) {
    std::vector<std::string> types;
    for (const Checkpoint* writer : writers) types.push_back(writer->type_name());
    log_warning(
        "{}(ckpt_path=\"best\") with several checkpoint callbacks ({}): the best of the first "
        "one is used",
        run, fmt::join(types, ", "));
  }
  if (writers.empty()) {
    throw ConfigError({},
                      fmt::format("{}(ckpt_path=\"best\") needs a ModelCheckpoint among the "
                                  "callbacks, and there is none; add one or give a path",
                                  run),
                      "ckpt_path");
  }
  const auto best = writers.front()->best_checkpoint();
  if (best.empty()) {
    throw ConfigError({},
                      fmt::format("{}(ckpt_path=\"best\"): {}; give the path of a checkpoint", run,
                                  fast_dev_run ? "with fast_dev_run no checkpoint is written"
                                               : "the ModelCheckpoint has not saved a best model"),
                      "ckpt_path");
  }
  return best;
}

void tell_left_out(const CheckpointChoice& choice) {
  for (const std::string& reason : choice.left_out) log_warning("{}; it is left out", reason);
}

// Those beside them: the last one may be damaged, or be a link that a crash left without its file.
std::vector<std::filesystem::path> with_neighbours(
    const std::vector<std::filesystem::path>& files) {
  std::vector<std::filesystem::path> all;
  for (const auto& file : files) {
    const auto beside = checkpoints_in(file.parent_path(), file.extension().string());
    all.insert(all.end(), beside.begin(), beside.end());
  }
  return all;
}

std::filesystem::path last_of(const Writers& writers, std::string_view run,
                              const Trainer& trainer) {
  const auto use =
      trainer.state().kind == RunKind::fit ? CheckpointUse::resume : CheckpointUse::weights;
  std::vector<std::filesystem::path> candidates;
  for (const Checkpoint* writer : writers) {
    const auto own = writer->last_checkpoints(trainer);
    candidates.insert(candidates.end(), own.begin(), own.end());
  }
  if (candidates.empty()) {
    log_warning(
        "{}(ckpt_path=\"last\"): there is no last checkpoint yet, nothing is loaded; "
        "ModelCheckpoint's save_last=true writes one",
        run);
    return {};
  }
  CheckpointChoice choice = last_checkpoint(candidates, use);
  if (choice.file.empty()) choice = last_checkpoint(with_neighbours(candidates), use);
  if (choice.file.empty()) {
    // Starting over would throw away what was trained.
    throw CheckpointError(
        candidates.front(),
        fmt::format("no last checkpoint can be used for {}: {}", run,
                    choice.left_out.empty() ? "the link leads nowhere" : choice.left_out.front()));
  }
  tell_left_out(choice);
  return choice.file;
}

}  // namespace

std::filesystem::path choose_checkpoint(const Trainer& trainer, const RunOptions& options,
                                        bool module_given) {
  const std::string_view name = to_string(trainer.state().kind);
  const Writers writers = writers_of(trainer.callbacks());
  std::string choice = options.ckpt_path;
  if (choice.empty() && trainer.state().kind == RunKind::fit) {
    for (const Checkpoint* writer : writers) {
      if (writer->resumes_by_itself()) choice = "last";
    }
  }
  if (choice.empty() && module_given) return {};
  if (choice.empty()) {
    choice = "best";
    log_warning(
        "{0} was called without a module and without a checkpoint; the best checkpoint of the "
        "last fit is used. Say ckpt_path=\"best\" or \"last\" to choose",
        name);
  }
  if (choice == "best") return best_of(writers, name, trainer.options().fast_dev_run != 0);
  if (choice == "last") return last_of(writers, name, trainer);
  return choice;
}

}  // namespace grapnel
