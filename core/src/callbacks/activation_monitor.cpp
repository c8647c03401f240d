#include "grapnel/callbacks/activation_monitor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <map>

#include "callbacks/name_pattern.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/dispatcher.h"
#include "grapnel/layer_observer.h"
#include "grapnel/trainer.h"
#include "text/python_format.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

// What one tensor comes down to on its device, in double precision. Mean and squares are those of
// the values divided by scale_of(max_abs), so that the squares of large ones don't overflow.
struct TensorSums {
  double finite;  // number of values
  double scaled_mean;
  double scaled_squares;  // of the deviations from the mean
  double max_abs;
  double zeros;  // number of values
};
constexpr int64_t kSums = 5;
constexpr double kSmallestScale = 1e-30;  // where all values are 0

double scale_of(double max_abs) {
  return std::max(max_abs, kSmallestScale);
}

at::Tensor sums_on_device(const at::Tensor& output) {
  const bool narrow = output.scalar_type() != at::kDouble;
  const at::Tensor values = narrow ? output.to(at::kFloat) : output;
  const at::Tensor is_finite = at::isfinite(values);
  const at::Tensor finite = at::where(is_finite, values, 0.0);
  const at::Tensor count = is_finite.sum().to(at::kDouble);
  const at::Tensor max_abs = finite.abs().max();
  const at::Tensor scaled = finite / max_abs.clamp_min(kSmallestScale);
  const at::Tensor mean = scaled.sum(at::kDouble) / count;
  const at::Tensor squares = at::where(is_finite, scaled - mean, 0.0).square().sum(at::kDouble);
  const at::Tensor zeros = values.eq(0).sum().to(at::kDouble);
  return at::stack({count, mean, squares, max_abs.to(at::kDouble), zeros});
}

// Statistics over several tensors, one after the other (Chan, Golub, LeVeque: Updating Formulae and
// a Pairwise Algorithm for Computing Sample Variances, 1979).
struct LayerSums {
  double total = 0.0;
  double finite = 0.0;
  double mean = 0.0;
  double squares = 0.0;
  double max_abs = 0.0;
  double zeros = 0.0;

  void add(const TensorSums& more, double elements) {
    total += elements;
    zeros += more.zeros;
    if (more.finite == 0.0) return;
    const double both = finite + more.finite;
    const double scale = scale_of(more.max_abs);
    const double delta = more.scaled_mean * scale - mean;
    squares += more.scaled_squares * scale * scale + delta * delta * finite * more.finite / both;
    mean += delta * more.finite / both;
    finite = both;
    max_abs = std::max(max_abs, more.max_abs);
  }

  ActivationMonitor::Statistics statistics() const {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const bool any = finite > 0.0;
    return {.mean = any ? mean : nan,
            .std = any ? std::sqrt(squares / finite) : nan,
            .max_abs = any ? max_abs : nan,
            .zeros = zeros / total,
            .nonfinite = (total - finite) / total};
  }
};

using Statistics = ActivationMonitor::Statistics;
constexpr std::pair<const char*, double Statistics::*> kStatistics[] = {
    {"mean", &Statistics::mean},
    {"std", &Statistics::std},
    {"max_abs", &Statistics::max_abs},
    {"zeros", &Statistics::zeros},
    {"nonfinite", &Statistics::nonfinite}};

std::string metric_name(const std::string& layer, const char* statistic) {
  return fmt::format("activation/{}/{}", layer, statistic);
}

std::vector<std::string> observed_names(const std::vector<Layer>& layers) {
  std::vector<std::string> names;
  for (const Layer& layer : layers) {
    if (layer.identity != nullptr) names.push_back(layer.name);
  }
  return names;
}

[[noreturn]] void refuse_unknown_layer(const std::string& pattern, const std::vector<Layer>& layers,
                                       const std::string& model) {
  const std::vector<std::string> observed = observed_names(layers);
  const auto matches = [&](const Layer& layer) { return matches_pattern(layer.name, pattern); };
  const auto plain = std::find_if(layers.begin(), layers.end(), matches);
  const auto meant = nearest(pattern, observed);
  std::string what = "no layer has that name" + did_you_mean(meant);
  if (plain != layers.end()) {
    what = fmt::format("{} is not observed; make it as grapnel::Observed<torch::nn::{}>",
                       quote(plain->name), plain->type);
  }
  throw ConfigError({},
                    fmt::format("ActivationMonitor: layers has {}, but in {} {} (observed are {})",
                                quote(pattern), model, what, join_quoted(observed, "and")),
                    "layers", meant.value_or(""));
}

}  // namespace

// Observes the layers while watching, and keeps the sums of their outputs on their device.
class ActivationMonitor::Watcher final : public LayerObserver {
 public:
  struct Chosen {
    std::string name;
    std::string type;
  };
  // The sums of one output tensor of a layer.
  struct Row {
    const Chosen* layer;
    double elements;
    at::Tensor sums;
  };

  explicit Watcher(const Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  void choose(const Layer& layer) {
    // A layer that is registered under several names goes by the first.
    if (chosen_.try_emplace(layer.identity, Chosen{layer.name, layer.type}).second) {
      names_.push_back(layer.name);
    }
  }
  const std::vector<std::string>& names() const { return names_; }

  bool began(int64_t step) const { return step_ == step; }
  // is_new: this is the first batch of the step's window.
  void begin(int64_t step, bool is_new) {
    if (step_ != step || is_new) forget();  // a window that was never finished
    rows_.resize(whole_);                   // and a batch
    step_ = step;
    awaits_end_ = true;
    scope_.emplace(*this);
  }
  void end() noexcept { scope_.reset(); }
  // Whether a batch was observed, and its end is to come.
  bool awaits_end() const { return awaits_end_; }
  void note_end() { awaits_end_ = false; }
  // The batch is over, and its window is not.
  void keep() { whole_ = rows_.size(); }
  void forget() {
    step_ = -1;
    rows_.clear();
    whole_ = 0;
    awaits_end_ = false;
    failure_ = nullptr;
  }

  // What the window's batches so far came down to. The running one counts when a resumed run has no
  // more left of it than its end.
  StateDict save() const {
    if (step_ < 0) return {};
    StateList rows;
    for (size_t i = 0; i < rows_.size(); ++i) {
      rows.emplace_back(StateDict{{"layer", rows_[i].layer->name},
                                  {"elements", rows_[i].elements},
                                  {"sums", rows_[i].sums}});
    }
    StateDict state{{"step", step_}, {"rows", std::move(rows)}};
    if (whole_ < rows_.size()) state["whole"] = static_cast<int64_t>(whole_);
    return state;
  }
  void load(const StateDict& state) {
    std::map<std::string, const Chosen*, std::less<>> by_name;
    for (const auto& [identity, layer] : chosen_) by_name[layer.name] = &layer;
    step_ = state.at("step").to_int();
    const StateList& rows = state.at("rows").to_list();
    const StateValue* whole = state.find("whole");
    const auto rows_of_whole =
        whole == nullptr ? rows.size() : static_cast<size_t>(std::max<int64_t>(whole->to_int(), 0));
    for (const StateValue& value : rows) {
      if (static_cast<size_t>(&value - rows.data()) == rows_of_whole) keep();
      const StateDict& row = value.to_dict();
      const auto layer = by_name.find(row.at("layer").to_string());
      if (layer == by_name.end()) continue;  // not chosen any more
      rows_.push_back(
          {layer->second, row.at("elements").to_double(), row.at("sums").to_tensor().clone()});
    }
    if (whole == nullptr) keep();
    awaits_end_ = whole != nullptr;
  }

  // It must not fail the model's step; what went wrong is thrown by rows().
  void on_forward(const void* layer, const TensorTree&, const TensorTree& output) override {
    // Not in hooks, and not in a backward pass that computes layers again.
    if (failure_ != nullptr || dispatcher_.running() != "training_step") return;
    const auto found = chosen_.find(layer);
    if (found == chosen_.end()) return;
    try {
      const at::NoGradGuard no_grad;
      add(found->second, output);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  const std::vector<Row>& rows() {
    if (failure_ == nullptr) return rows_;
    const std::exception_ptr failure = failure_;
    forget();
    std::rethrow_exception(failure);
  }

 private:
  void add(const Chosen& layer, const TensorTree& output) {
    const at::Tensor& tensor = output.tensor;
    if (tensor.defined() && tensor.layout() == at::kStrided && tensor.is_floating_point() &&
        tensor.numel() > 0) {
      rows_.push_back(
          {&layer, static_cast<double>(tensor.numel()), sums_on_device(tensor.detach())});
    }
    for (const auto& [name, child] : output.children) add(layer, child);
  }

  const Dispatcher& dispatcher_;
  std::map<const void*, Chosen> chosen_;
  std::vector<std::string> names_;
  int64_t step_ = -1;  // of the window that is observed; -1: none
  std::vector<Row> rows_;
  size_t whole_ = 0;  // rows of batches that are over
  bool awaits_end_ = false;
  std::exception_ptr failure_;
  std::optional<Scope> scope_;
};

ActivationMonitor::ActivationMonitor(ActivationMonitorOptions options)
    : options_(std::move(options)) {
  options_table().check(options_, "ActivationMonitor");
}

ActivationMonitor::~ActivationMonitor() = default;

const OptionsTable<ActivationMonitorOptions>& ActivationMonitor::options_table() {
  using O = ActivationMonitorOptions;
  static const OptionsTable<O> table(
      "activation_monitor", "Logs statistics of the outputs of the model's layers in training.",
      {option("layers", &O::layers)
           .items(1, 10'000)
           .doc("Names of layers, or patterns of them with * and ?."),
       option("every_n_steps", &O::every_n_steps)
           .at_least(1)
           .unit("steps")
           .doc("How often to log; null: as often as the trainer.")});
  return table;
}

std::vector<std::string> ActivationMonitor::layers() const {
  return watcher_ == nullptr ? std::vector<std::string>() : watcher_->names();
}

std::string ActivationMonitor::state_key() const {
  if (!name().empty()) return name();
  std::vector<std::string> layers;
  for (const std::string& layer : options_.layers) layers.push_back(python_repr(layer));
  return fmt::format("{}{{'layers': [{}], 'every_n_steps': {}}}", type_name(),
                     fmt::join(layers, ", "),
                     options_.every_n_steps ? std::to_string(*options_.every_n_steps) : "None");
}

StateDict ActivationMonitor::state_dict() const {
  return watcher_ == nullptr ? StateDict() : watcher_->save();
}

void ActivationMonitor::load_state_dict(const StateDict& state) {
  loaded_ = snapshot(state);
}

void ActivationMonitor::setup(StageEvent& event) {
  if (event.run == RunKind::fit) loaded_.clear();
}

void ActivationMonitor::on_fit_start(Event& event) {
  const std::vector<Layer> layers = event.module.layers();
  const std::string model = event.module.type_name();
  if (observed_names(layers).empty()) {
    throw ConfigError::of("",
                          "ActivationMonitor: {0} has no observed layers; make those of interest "
                          "as grapnel::Observed<torch::nn::Linear>(...) in place of "
                          "torch::nn::Linear(...) (<grapnel/observed.h>), or remove the callback; "
                          "the layers of a TorchScript file can't be observed",
                          model);
  }
  auto watcher = std::make_unique<Watcher>(event.trainer.dispatcher());
  std::vector<bool> wanted(layers.size(), false);
  for (const std::string& pattern : options_.layers) {
    bool found = false;
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].identity == nullptr || !matches_pattern(layers[i].name, pattern)) continue;
      wanted[i] = found = true;
    }
    if (!found) refuse_unknown_layer(pattern, layers, model);
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    if (wanted[i]) watcher->choose(layers[i]);
  }
  watching_.end();
  watcher_ = std::move(watcher);
  if (!loaded_.empty()) watcher_->load(std::exchange(loaded_, {}));
  statistics_.clear();
  first_nonfinite_layer_.clear();
  warned_of_.clear();
}

bool ActivationMonitor::looks_at(const Trainer& trainer) const {
  if (!options_.every_n_steps.has_value()) return trainer.is_logging_step();
  return (trainer.state().batches_that_stepped + 1) % *options_.every_n_steps == 0;
}

void ActivationMonitor::on_train_batch_start(TrainBatchStart& event) {
  Trainer& trainer = event.trainer;
  watching_.end();  // of a batch that was left out
  if (!looks_at(trainer)) return;
  // The first batches of a window may not have been observed.
  const int64_t step = trainer.state().batches_that_stepped;
  const bool is_new = trainer.state().window_start < 0;
  if (!is_new && !watcher_->began(step)) return;
  watching_ = trainer.lease("watching the layers of the model",
                            [watcher = watcher_.get()] { watcher->end(); });
  watcher_->begin(step, is_new);
}

void ActivationMonitor::on_train_batch_end(TrainBatchEnd& event) {
  if (!watcher_->awaits_end()) return;
  watching_.end();
  watcher_->note_end();
  if (event.trainer.is_accumulating()) return watcher_->keep();
  const bool any = evaluate(event.trainer);
  watcher_->forget();
  if (!any) {
    if (!event.outputs.loss.defined()) return;
    log_once("activation-monitor-unseen", LogLevel::warning,
             "ActivationMonitor: training_step got no floating-point numbers from any of the {} "
             "chosen layers; hold them as grapnel::Observed, so that calls go through it",
             watcher_->names().size());
    return;
  }
  log_statistics(event.trainer);
}

// A step that failed is often one in which the values stopped being finite.
void ActivationMonitor::on_exception(ExceptionEvent& event) {
  if (watcher_ == nullptr) return;
  try {
    evaluate(event.trainer);
  } catch (const std::exception& error) {
    log_debug("ActivationMonitor: the layers' outputs can't be read after a failure: {}",
              exception_text(error));
  }
}

void ActivationMonitor::on_run_end(RunEnd&) {
  watching_.end();
  if (watcher_ != nullptr) watcher_->forget();
}

// One transfer for all layers. False: there was nothing to look at.
bool ActivationMonitor::evaluate(const Trainer& trainer) {
  const std::vector<Watcher::Row>& rows = watcher_->rows();
  if (rows.empty()) return false;
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> sums;
  for (const Watcher::Row& row : rows) sums.push_back(row.sums.to(rows[0].sums.device()));
  const at::Tensor fetched = at::stack(sums).cpu();
  const double* numbers = fetched.const_data_ptr<double>();

  std::vector<std::pair<const Watcher::Chosen*, LayerSums>> layers;
  std::map<const Watcher::Chosen*, size_t> places;
  const Watcher::Row* first_bad = nullptr;
  double bad = 0.0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double* row = numbers + static_cast<int64_t>(i) * kSums;
    const TensorSums tensor{row[0], row[1], row[2], row[3], row[4]};
    const auto [place, is_new] = places.try_emplace(rows[i].layer, layers.size());
    if (is_new) layers.emplace_back(rows[i].layer, LayerSums());
    layers[place->second].second.add(tensor, rows[i].elements);
    if (first_bad == nullptr && tensor.finite < rows[i].elements) {
      first_bad = &rows[i];
      bad = rows[i].elements - tensor.finite;
    }
  }
  statistics_.clear();
  for (const auto& [layer, all] : layers) statistics_.emplace_back(layer->name, all.statistics());
  first_nonfinite_layer_ = first_bad == nullptr ? "" : first_bad->layer->name;
  if (std::exchange(warned_of_, first_nonfinite_layer_) == first_nonfinite_layer_) return true;
  if (first_bad == nullptr) return true;
  log_warning(
      "ActivationMonitor: at step {} layer {} ({}) is the first with outputs that are NaN "
      "or infinite: {} of {}",
      trainer.state().batches_that_stepped, quote(first_nonfinite_layer_), first_bad->layer->type,
      bad, first_bad->elements);
  return true;
}

std::vector<std::string> ActivationMonitor::metric_names(const Trainer&) const {
  std::vector<std::string> names;
  for (const std::string& layer : layers()) {
    for (const auto& [name, member] : kStatistics) names.push_back(metric_name(layer, name));
  }
  return names;
}

void ActivationMonitor::log_statistics(Trainer& trainer) const {
  Logger::Metrics metrics;
  for (const auto& [layer, statistics] : statistics_) {
    for (const auto& [name, member] : kStatistics) {
      metrics.emplace_back(metric_name(layer, name), statistics.*member);
    }
  }
  for (const auto& [name, value] : metrics) trainer.set_callback_metric(name, value);
  trainer.log_metrics(metrics);
}

}  // namespace grapnel
