// The arguments of a hook as trace entries show them: "batch_idx=0,dataloader_idx=0".
#pragma once

#include <fmt/format.h>
#include <grapnel/events.h>

#include <string>

namespace grapnel::oracle {

inline std::string hook_arguments(const InitEvent&) {
  return {};
}
inline std::string hook_arguments(const Event&) {
  return {};
}

inline std::string hook_arguments(const StageEvent& event) {
  return fmt::format("stage={}", to_string(event.run));
}

inline std::string hook_arguments(const TrainBatchStart& event) {
  return fmt::format("batch_idx={}", event.batch_idx);
}

inline std::string hook_arguments(const TrainBatchEnd& event) {
  return fmt::format("batch_idx={}", event.batch_idx);
}

inline std::string hook_arguments(const EvalBatchStart& event) {
  return fmt::format("batch_idx={},dataloader_idx={}", event.batch_idx, event.dataloader_idx);
}

inline std::string hook_arguments(const EvalBatchEnd& event) {
  return fmt::format("batch_idx={},dataloader_idx={}", event.batch_idx, event.dataloader_idx);
}

inline std::string hook_arguments(const OptimizerEvent& event) {
  return fmt::format("optimizer_idx={}", event.optimizer_idx);
}

inline std::string hook_arguments(const ExceptionEvent& event) {
  return fmt::format("exception={}", event.type);
}

}  // namespace grapnel::oracle
