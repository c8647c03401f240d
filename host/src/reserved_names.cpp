#include "reserved_names.h"

#include <algorithm>
#include <array>
#include <string>

namespace grapnel::host {
namespace {

std::string folded(std::string_view name) {
  std::string text(name);
  std::erase(text, '_');
  return text;
}

}  // namespace

const std::vector<std::string_view>& built_in_callback_names() {
  static const std::vector<std::string_view> names = {
      "activation_monitor",
      "backbone_finetuning",
      "batch_size_finder",
      "device_stats_monitor",
      "early_stopping",
      "ema_weight_averaging",
      "gradient_accumulation_scheduler",
      "learning_rate_finder",
      "learning_rate_logger",
      "learning_rate_monitor",
      "lr_logger",
      "model_checkpoint",
      "model_pruning",
      "model_summary",
      "on_exception_checkpoint",
      "prediction_writer",
      "progress_bar",
      "rich_model_summary",
      "rich_progress_bar",
      "spike_detection",
      "stochastic_weight_averaging",
      "throughput_monitor",
      "timer",
      "tqdm_progress_bar",
      "weight_averaging",
  };
  return names;
}

bool is_built_in_callback_name(std::string_view id) {
  const std::string wanted = folded(id);
  return std::ranges::any_of(built_in_callback_names(),
                             [&](std::string_view name) { return folded(name) == wanted; });
}

bool is_reserved_namespace(std::string_view id) noexcept {
  return id == "grapnel" || id.starts_with("grapnel.");
}

bool is_reserved_parameter(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 7> names = {"after", "every",    "first", "label",
                                                     "last",  "on_error", "once"};
  return name.starts_with('_') || std::ranges::find(names, name) != names.end();
}

}  // namespace grapnel::host
