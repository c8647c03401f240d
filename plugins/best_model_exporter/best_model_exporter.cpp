// best_model_exporter: keeps the weights with the best value of a metric in one safetensors file.
//
// The file holds the model's parameters and buffers by name and nothing of the training, so other
// programs can read it: safetensors.torch.load_file returns what load_state_dict takes. Its
// metadata name the metric, its value, the epoch and the step. The file is replaced atomically when
// a validation or training epoch has ended and the metric has a new best value; NaN is never the
// best. The best value survives a resume.
//
// The weights are those that were validated: with the plugin ema its averages, because this one's
// hooks come first; of a pruned parameter the masked values.
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

#include "nearest_name.h"
#include "safetensors_writer.h"
#include "temporaries.h"

namespace {

using namespace grapnel::plugin;

// The shortest text that reads back as the same number.
std::string in_digits(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

// For people: "0.226794".
std::string rounded(double value) {
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr;
  return std::string(text, end);
}

// Checks that the format can hold a tensor.
safetensors::TypeName type_of(const Parameter& parameter, const Tensor& tensor) {
  const auto type = safetensors::type_name(tensor.dtype());
  if (type.size == 0) {
    throw Error("'" + std::string(parameter.name()) +
                "' has an element type that the safetensors format does not support (LibTorch's "
                "ScalarType " +
                std::to_string(static_cast<std::int32_t>(tensor.dtype())) + ")");
  }
  return type;
}

class BestModelExporter final : public Callback {
 public:
  explicit BestModelExporter(const Params& params)
      : monitor_(params.get("monitor", "val_loss")),
        minimizes_(params.get("mode", "min") == "min"),
        filename_(params.get("filename", "best.safetensors")) {
    if (monitor_.empty())
      throw Error("monitor is empty; give the name of a metric, such as \"val_loss\"");
    if (!std::filesystem::path(filename_).has_filename()) {
      throw Error("filename is '" + filename_ +
                  "', which has no file name; give one such as \"best.safetensors\"");
    }
  }

  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit || event.global_step() > 0) return;
    best_.reset();  // of another training
    seen_step_ = -1;
    validated_ = reported_ = false;
  }

  void on_fit_start(Event& event) override {
    for (const auto& range : {event.parameters(), event.buffers()}) {
      for (const Parameter& entry : range) type_of(entry, entry.tensor());
    }
    safetensors::remove_stale_temporaries(path(event));
    std::error_code ignored;  // one that can't be looked at is not there
    if (best_ && !std::filesystem::exists(best_->path, ignored)) {
      event.log_warning("the best model so far, " + in_words(*best_) + ", is not in '" +
                        best_->path + "' any more; a better one will be written");
    }
  }

  void on_validation_end(Event& event) override {
    if (event.run_kind() != RunKind::fit || event.sanity_checking()) return;
    validated_ = true;
    look(event);
  }
  void on_train_epoch_end(Event& event) override { look(event); }

  // The module logs its epoch metrics after this callback's hook; the weights are still the same.
  void on_train_epoch_start(Event& event) override {
    if (validated_) report_unknown(event);
    look(event);
  }
  void on_train_end(Event& event) override {
    report_unknown(event);
    look(event);
    if (best_)
      event.log_info("the best model, " + in_words(*best_) + ", is in '" + best_->path + "'");
  }

  void save_state(StateWriter& state) const override {
    state.put("seen_step", seen_step_);
    if (!best_) return;
    state.put("best_value", best_->value);
    state.put("best_epoch", best_->epoch);
    state.put("best_step", best_->step);
    state.put("best_path", best_->path);
  }
  void load_state(const StateReader& state) override {
    const auto seen_step = state.get<std::int64_t>("seen_step");
    std::optional<Best> best;
    if (const auto value = state.find<double>("best_value")) {
      best = Best{*value, state.get<std::int64_t>("best_epoch"),
                  state.get<std::int64_t>("best_step"), state.get<std::string>("best_path")};
    }
    seen_step_ = seen_step;
    best_ = std::move(best);
  }

 private:
  struct Best {
    double value;
    std::int64_t epoch;
    std::int64_t step;  // global_step
    std::string path;
  };

  std::string in_words(const Best& best) const {
    return monitor_ + " " + rounded(best.value) + " in epoch " + std::to_string(best.epoch) +
           " (step " + std::to_string(best.step) + ")";
  }

  // Exports the weights if the metric has a new value that is the best.
  void look(const Services& event) {
    const auto metric = event.metric(monitor_);
    if (!metric || metric->global_step <= seen_step_) return;
    seen_step_ = metric->global_step;
    const double value = metric->value;
    if (std::isnan(value)) return;
    if (best_ && !(minimizes_ ? value < best_->value : value > best_->value)) return;
    Best best{value, event.current_epoch(), event.global_step(), path(event).string()};
    write(event, best);
    event.logger().debug(in_words(best) + " is the best so far, exported to '" + best.path + "'");
    best_ = std::move(best);
  }

  std::filesystem::path path(const Services& event) const {
    return std::filesystem::path(event.run_directory()) / filename_;
  }

  void write(const Services& event, const Best& best) const {
    safetensors::Header header({{"format", "pt"},
                                {"monitor", monitor_},
                                {"value", in_digits(best.value)},
                                {"epoch", std::to_string(best.epoch)},
                                {"global_step", std::to_string(best.step)}});
    std::vector<std::pair<Tensor, std::size_t>> tensors;  // and their sizes in bytes
    for (const auto& range : {event.parameters(), event.buffers()}) {
      for (const Parameter& entry : range) {
        Tensor tensor = entry.tensor();
        const auto type = type_of(entry, tensor);
        const std::size_t bytes = static_cast<std::size_t>(tensor.numel()) * type.size;
        header.add(entry.name(), type, tensor.sizes(), bytes);
        if (const Tensor mask = entry.mask(); mask.defined()) tensor = tensor.clone().mul_(mask);
        tensors.emplace_back(std::move(tensor), bytes);
      }
    }
    safetensors::AtomicFile file(best.path);
    const std::string begin = header.bytes();
    file.write(begin.data(), begin.size());
    std::vector<unsigned char> elements;
    for (const auto& [tensor, bytes] : tensors) {
      if (bytes == 0) continue;
      elements.resize(bytes);
      tensor.read(elements.data(), bytes);
      file.write(elements.data(), bytes);
    }
    file.commit();
  }

  void report_unknown(const Services& event) {
    if (reported_ || event.metric(monitor_)) return;
    reported_ = true;
    const auto names = event.metric_names();
    std::string text = "nothing has logged the metric '" + monitor_ + "', so no model is exported";
    const std::string nearest = nearest_name(monitor_, names);
    if (!nearest.empty()) {
      text += "; did you mean '" + nearest + "'?";
    } else {
      constexpr std::size_t shown = 12;
      std::string known;
      for (std::size_t i = 0; i < names.size() && i < shown; ++i) known += ", " + names[i];
      if (names.size() > shown) known += ", ...";
      text += known.empty() ? "; no metric was logged" : "; there are: " + known.substr(2);
    }
    event.log_warning(text);
  }

  std::string monitor_;
  bool minimizes_;
  std::string filename_;  // relative to the run directory, or absolute

  std::optional<Best> best_;
  std::int64_t seen_step_ = -1;  // global_step of the value that was looked at last
  bool validated_ = false;
  bool reported_ = false;  // that the metric is unknown
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<BestModelExporter>("best_model_exporter"))
