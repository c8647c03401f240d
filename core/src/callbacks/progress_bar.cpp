#include "grapnel/callbacks/progress_bar.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

std::optional<std::int64_t> batches_of(const std::vector<std::int64_t>& loaders,
                                       std::optional<std::int64_t> index) {
  const auto at = static_cast<size_t>(index.value_or(0));
  if (at >= loaders.size() || loaders[at] < 0) return std::nullopt;
  return loaders[at];
}

// The number of "version_3"; nothing for a text of the user's.
std::optional<std::int64_t> version_number(std::string_view version) {
  constexpr std::string_view kPrefix = "version_";
  if (!version.starts_with(kPrefix)) return std::nullopt;
  std::int64_t number = 0;
  const char* end = version.data() + version.size();
  const auto result = std::from_chars(version.data() + kPrefix.size(), end, number);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

// Of one logger the number of its version; of a text, and of the versions of several, the last four
// characters. Loggers without a version don't count.
std::optional<PostfixValue> short_version(const std::vector<std::shared_ptr<Logger>>& loggers) {
  std::vector<std::string> versions;
  const auto has_version = [](const auto& logger) { return !logger->version().empty(); };
  const bool is_only_one = std::count_if(loggers.begin(), loggers.end(), has_version) == 1;
  for (const auto& logger : loggers) {
    std::string version = logger->version();
    if (version.empty()) continue;
    if (const auto number = version_number(version)) {
      if (is_only_one) return *number;
      version = std::to_string(*number);
    }
    if (std::find(versions.begin(), versions.end(), version) == versions.end())
      versions.push_back(std::move(version));
  }
  const std::string all = join(versions, "_");
  if (all.empty()) return std::nullopt;
  return all.size() > 4 ? all.substr(all.size() - 4) : all;
}

}  // namespace

ProgressBar::~ProgressBar() = default;

void ProgressBar::setup(StageEvent& event) {
  sink_ = event.trainer.options().progress;
}

void ProgressBar::print(std::string_view line) {
  if (sink_ != nullptr) sink_->print(line);
}

Postfix ProgressBar::get_metrics(const Trainer& trainer) {
  Postfix items;
  if (auto version = short_version(trainer.loggers())) items.emplace_back("v_num", *version);
  for (const MetricDict::Entry& entry : trainer.progress_bar_metrics()) {
    const auto known = std::find_if(items.begin(), items.end(),
                                    [&](const auto& item) { return item.first == entry.name; });
    if (known == items.end()) {
      items.emplace_back(entry.name, entry.value.number());
      continue;
    }
    known->second = entry.value.number();
    if (!warned_clash_) {
      log_warning(
          "the progress bar shows the metric {} in the place of the logger's version; log it "
          "under another name to see both",
          quote(entry.name));
    }
    warned_clash_ = true;
  }
  return items;
}

std::optional<std::int64_t> ProgressBar::total_train_batches(const Trainer& trainer) const {
  const RunState& state = trainer.state();
  const std::int64_t batches = state.num_training_batches;
  if (state.max_epochs == -1 && state.max_steps > 0) {
    const std::int64_t remaining = state.max_steps - trainer.global_step();
    return batches < 0 ? remaining : std::min(batches, remaining);
  }
  if (batches < 0) return std::nullopt;
  return batches;
}

std::optional<std::int64_t> ProgressBar::total_val_batches(const Trainer& trainer) const {
  return batches_of(
      trainer.sanity_checking() ? trainer.num_sanity_val_batches() : trainer.num_val_batches(),
      dataloader_);
}

std::optional<std::int64_t> ProgressBar::total_test_batches(const Trainer& trainer) const {
  return batches_of(trainer.num_test_batches(), dataloader_);
}

std::optional<std::int64_t> ProgressBar::total_predict_batches(const Trainer& trainer) const {
  return batches_of(trainer.num_predict_batches(), dataloader_);
}

bool ProgressBar::dataloader_changed(std::int64_t index) {
  const bool changed = dataloader_ != index;
  dataloader_ = index;
  return changed;
}

}  // namespace grapnel
