#include "grapnel/callbacks/spike_detection.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

constexpr const char* kBatchesFile = "skip_batches.json";

std::optional<double> tolerance_from(const StateDict& state, std::string_view key) {
  const StateValue& value = state.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.to_double());
}

StateValue tolerance_state(const std::optional<double>& tolerance) {
  return tolerance ? StateValue(*tolerance) : StateValue();
}

}  // namespace

TrainingSpikeError::TrainingSpikeError(const std::string& message, int64_t batch)
    : Error(message), batch_idx(batch) {}

TrainingSpikeError::~TrainingSpikeError() = default;

SpikeDetection::SpikeDetection(SpikeDetectionOptions options) : options_(std::move(options)) {
  options_table().check(options_, "SpikeDetection");
}

const OptionsTable<SpikeDetectionOptions>& SpikeDetection::options_table() {
  using O = SpikeDetectionOptions;
  static const OptionsTable<O> table(
      "spike_detection", "Ends the training when the loss jumps, and lists the batches to skip.",
      {option("mode", &O::mode).doc("Which direction of the loss is better."),
       option("window", &O::window).at_least(1).unit("batches").doc("Losses in the running mean."),
       option("warmup", &O::warmup)
           .at_least(0)
           .unit("batches")
           .doc("No check on the first batches of an epoch."),
       option("atol", &O::atol).at_least(0).finite().doc("Smallest difference from the mean."),
       option("rtol", &O::rtol)
           .at_least(0)
           .finite()
           .doc("Smallest difference from the mean, as a share of it."),
       option("exclude_batches_path", &O::exclude_batches_path)
           .null_when_empty()
           .doc("A .json file, or a directory for skip_batches.json; null: default_root_dir."),
       option("finite_only", &O::finite_only).doc("A loss that is NaN or infinite is a spike.")});
  return table;
}

StateDict SpikeDetection::state_dict() const {
  StateList running;
  for (const float loss : running_) running.emplace_back(static_cast<double>(loss));
  return {{"last_val", static_cast<double>(last_val_)},
          {"mode", std::string(to_string(options_.mode))},
          {"warmup", options_.warmup},
          {"atol", tolerance_state(options_.atol)},
          {"rtol", tolerance_state(options_.rtol)},
          {"bad_batches", StateList(bad_batches_.begin(), bad_batches_.end())},
          {"bad_batches_path", options_.exclude_batches_path.string()},
          {"running", std::move(running)}};
}

void SpikeDetection::load_state_dict(const StateDict& state) {
  const std::string& mode = state.at("mode").to_string();
  if (mode != "min" && mode != "max") {
    throw CheckpointError(
        {}, fmt::format("SpikeDetection: mode is {}; known are 'min' and 'max'", quote(mode)));
  }
  const std::string& path = state.at("bad_batches_path").to_string();
  const bool as_given = parse_monitor_mode(mode) == options_.mode &&
                        state.at("warmup").to_int() == options_.warmup &&
                        tolerance_from(state, "atol") == options_.atol &&
                        tolerance_from(state, "rtol") == options_.rtol;
  std::vector<int64_t> bad_batches;
  for (const StateValue& batch : state.at("bad_batches").to_list()) {
    bad_batches.push_back(batch.to_int());
  }
  std::deque<float> running;
  for (const StateValue& loss : state.at("running").to_list()) {
    running.push_back(static_cast<float>(loss.to_double()));
  }
  while (running.size() > static_cast<size_t>(options_.window)) running.pop_front();
  const double last_val = state.at("last_val").to_double();

  if (!as_given) {
    log_info(
        "SpikeDetection: mode, warmup, atol and rtol count as they are given now; the checkpoint's "
        "run had others");
  }
  if (options_.exclude_batches_path.empty()) options_.exclude_batches_path = path;
  bad_batches_ = std::move(bad_batches);
  running_ = std::move(running);
  last_val_ = static_cast<float>(last_val);
}

void SpikeDetection::setup(StageEvent& event) {
  if (event.run != RunKind::fit || event.trainer.global_step() > 0) return;
  running_.clear();  // of another training
  bad_batches_.clear();
  last_val_ = 0;
}

// In single precision throughout, as the loss is: a difference of exactly rtol times the mean
// counts.
float SpikeDetection::mean() const {
  float sum = 0;
  float count = 0;
  for (const float loss : running_) {
    if (std::isnan(loss)) continue;
    sum += loss;
    count += 1;
  }
  return sum / count;
}

bool SpikeDetection::is_spike(float loss) const {
  if (options_.finite_only && !std::isfinite(loss)) return true;
  const float change = loss - last_val_;
  if (options_.mode == MonitorMode::min ? change <= 0 : change >= 0) return false;
  const float reference = mean();
  const float difference = std::abs(loss - reference);
  const auto reaches = [difference](float limit) { return difference >= std::abs(limit); };
  return (!options_.atol || reaches(static_cast<float>(*options_.atol))) &&
         (!options_.rtol || reaches(static_cast<float>(*options_.rtol) * reference));
}

void SpikeDetection::on_train_batch_end(TrainBatchEnd& event) {
  std::filesystem::path& path = options_.exclude_batches_path;
  if (path.empty()) path = event.trainer.default_root_dir();
  if (path.extension() != ".json") path /= kBatchesFile;
  if (!event.outputs.loss.defined()) return;  // training_step returned none

  const auto loss = event.outputs.loss.detach().item<float>();
  if (event.batch_idx >= options_.warmup && is_spike(loss)) {
    bad_batches_.push_back(event.batch_idx - 1);
    bad_batches_.push_back(event.batch_idx);
    write_bad_batches();
    throw TrainingSpikeError(
        fmt::format("the training loss jumped in batch {}: {} after {}, with a mean of {}; the "
                    "batches to leave out are listed in {}",
                    event.batch_idx, loss, last_val_, mean(), quote(display_path(path))),
        event.batch_idx);
  }
  // With finite_only such a loss comes as far as here only within the warm-up.
  if (!std::isfinite(loss) && !options_.finite_only) return;
  running_.push_back(loss);
  if (running_.size() > static_cast<size_t>(options_.window)) running_.pop_front();
  last_val_ = loss;
}

void SpikeDetection::write_bad_batches() const {
  ConfigValue list = ConfigValue::array();
  for (const int64_t batch : bad_batches_) list.append(batch);
  const std::filesystem::path& path = options_.exclude_batches_path;
  create_parent_directories(path);
  write_file(path, write_json(list, JsonStyle::pretty));
}

}  // namespace grapnel
