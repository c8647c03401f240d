// optimizer_monitor: logs the optimizers' options, and how much a step changes the weights.
//
//   optimizer/<option>         "lr", "momentum", "beta1", "beta2" of the next step, if the optimizer
//                              has them; with several or named groups optimizer/<group>/<option>,
//                              unnamed ones as group_<i>; of the second optimizer optimizer_1/...
//                              lr includes the factors of other plugins, such as warmup's
//   update_ratio/total         |change of the weights in the step| / |weights before it|, 2-norms
//                              over all parameters with a gradient; of the second optimizer
//                              update_ratio/optimizer_1/...
//   update_ratio/<parameter>   the same of one parameter
//
// Of a pruned parameter, only the elements that its mask keeps count.
//
// Around 1e-3 is usual (A. Karpathy, "makemore", part 3); far above, the learning rate is too high;
// far below, it is too low or the parameter does not learn. Weights that are all zero have no ratio.
// A measured step costs a copy of the trainable weights (its memory is reused) and two norms, on
// other devices than the CPU also two transfers; other steps cost a comparison. A checkpoint that is
// written while a step is measured holds that copy, so that a run that is resumed there logs the same
// ratio.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

using Names = std::vector<std::string>;

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class OptimizerMonitor final : public Callback {
 public:
  explicit OptimizerMonitor(const Params& params)
      : every_n_steps_(params.get("every_n_steps", 0)),
        wanted_(params.find<Names>("options")),
        update_ratio_(params.get("update_ratio", "total")) {}

  void init(Services& services) override {
    knows_factors_ = services.has_extension(GRAPNEL_EXT_SCHEDULE);
  }

  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit) return;
    measuring_ = false;  // of a training that failed
    loaded_.clear();
  }

  void on_train_start(Event& event) override {
    if (!wanted_) return;
    Names known;
    for (const Optimizer& optimizer : event.optimizers()) {
      for (const OptimizerGroup& group : optimizer.groups()) {
        for (std::string& name : group.option_names()) {
          if (!contains(known, name)) known.push_back(std::move(name));
        }
      }
    }
    for (const std::string& name : *wanted_) {
      if (contains(known, name)) continue;
      event.log_warning("no optimizer has the option '" + name +
                        "'; it is not logged. The options are: " + joined(known));
    }
  }

  void on_before_optimizer_step(OptimizerEvent& event) override {
    measuring_ = false;
    loaded_.clear();
    const bool is_due =
        every_n_steps_ == 0 ? event.is_logging_step() : event.global_step() % every_n_steps_ == 0;
    if (!is_due) return;
    log_options(event);
    if (update_ratio_ != "off") take_snapshot(event);
  }

  void on_after_optimizer_step(OptimizerEvent& event) override {
    if (!loaded_.empty()) continue_measuring(event);
    if (!std::exchange(measuring_, false)) return;
    foreach_sub_(snapshot_, live_);  // the change, but for its sign
    mask_snapshot();                 // the host may have masked the weights again or not
    Norms change_norms(snapshot_);
    const std::vector<double>& changes = change_norms.values();
    const std::vector<double>& weights = weight_norms_.values();
    std::string prefix = "update_ratio/";
    if (event.optimizer_idx() > 0) {
      prefix += "optimizer_" + std::to_string(event.optimizer_idx()) + "/";
    }
    double change = 0, weight = 0;  // squared
    for (std::size_t i = 0; i < names_.size(); ++i) {
      change += changes[i] * changes[i];
      weight += weights[i] * weights[i];
      if (update_ratio_ != "per_parameter" || weights[i] == 0) continue;
      event.log(prefix + names_[i], changes[i] / weights[i]);
    }
    if (weight != 0) event.log(prefix + "total", std::sqrt(change / weight));
  }

  void save_state(StateWriter& state) const override {
    if (measuring_) {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        state.put(before_step_key + names_[i], snapshot_[i]);
      }
    }
    for (const auto& [name, weights] : loaded_) state.put(before_step_key + name, weights);
  }
  void load_state(const StateReader& state) override {
    std::map<std::string, Tensor> loaded;
    for (const std::string& key : state.keys()) {
      if (key.compare(0, before_step_key.size(), before_step_key) != 0) continue;
      loaded.emplace(key.substr(before_step_key.size()), state.get<Tensor>(key));
    }
    loaded_ = std::move(loaded);
    measuring_ = false;
  }

 private:
  inline static const std::string before_step_key = "before_step.";

  void log_options(const OptimizerEvent& event) const {
    static const Names usual = {"lr", "momentum", "beta1", "beta2"};
    std::string prefix = "optimizer";
    if (event.optimizer_idx() > 0) prefix += "_" + std::to_string(event.optimizer_idx());
    prefix += "/";
    const std::vector<OptimizerGroup> groups = event.optimizer().groups();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::string name(groups[i].name());
      if (name.empty() && groups.size() > 1) name = "group_" + std::to_string(i);
      if (!name.empty()) name += "/";
      for (const std::string& option : wanted_ ? *wanted_ : usual) {
        auto value = groups[i].option(option);
        if (!value) continue;
        if (option == "lr" && knows_factors_) {
          value = event.schedule().rate(static_cast<std::size_t>(event.optimizer_idx()), i);
        }
        event.log(prefix + name + option, *value);
      }
    }
  }

  void take_snapshot(const OptimizerEvent& event) {
    std::vector<Parameter> stepping;
    std::vector<std::uint64_t> indices;
    for (const Parameter& parameter : event.parameters()) {
      if (!parameter.grad().defined() || !parameter.tensor().is_floating_point()) continue;
      if (parameter.tensor().numel() == 0) continue;
      stepping.push_back(parameter);
      indices.push_back(parameter.index());
    }
    if (stepping.empty()) return;
    if (generation_ == event.module_generation() && indices == indices_) {
      live_ = live_tensors(stepping);
      foreach_copy_(snapshot_, live_);
    } else {
      copy_weights(event, stepping);
      indices_ = std::move(indices);
    }
    begin_measuring();
  }

  void copy_weights(const OptimizerEvent& event, const std::vector<Parameter>& stepping) {
    live_ = live_tensors(stepping);
    snapshot_ = TensorList();
    names_.clear();
    masks_.clear();
    for (const Parameter& parameter : stepping) {
      Tensor mask = parameter.mask();
      if (mask.defined()) masks_.emplace_back(snapshot_.size(), std::move(mask));
      snapshot_.push_back(parameter.tensor().clone());
      names_.emplace_back(parameter.name());
    }
    generation_ = event.module_generation();
  }

  void begin_measuring() {
    mask_snapshot();
    weight_norms_ = Norms(snapshot_);
    measuring_ = true;
  }

  // The step was made in the run that is resumed. Weights of another shape have no ratio in it.
  void continue_measuring(const OptimizerEvent& event) {
    const std::map<std::string, Tensor> before = std::exchange(loaded_, {});
    std::vector<Parameter> stepped;
    for (const Parameter& parameter : event.parameters()) {
      const auto found = before.find(std::string(parameter.name()));
      if (found == before.end() || found->second.sizes() != parameter.tensor().sizes()) continue;
      stepped.push_back(parameter);
    }
    if (stepped.size() != before.size()) return;
    copy_weights(event, stepped);
    indices_.clear();  // the next step copies its own
    for (std::size_t i = 0; i < names_.size(); ++i) snapshot_[i].copy_(before.at(names_[i]));
    begin_measuring();
  }

  void mask_snapshot() {
    for (const auto& [i, mask] : masks_) snapshot_[i].mul_(mask);
  }

  std::int64_t every_n_steps_;   // optimizer steps; 0: with the loggers
  std::optional<Names> wanted_;  // options to log; none: the usual ones
  bool knows_factors_ = false;   // of callbacks on learning rates
  std::string update_ratio_;     // "off", "total", "per_parameter"

  // Of the step that is being measured: parameters with a gradient, in the model's order.
  bool measuring_ = false;
  std::optional<std::uint64_t> generation_;
  std::vector<std::uint64_t> indices_;
  Names names_;
  TensorList live_;                       // only while measuring
  TensorList snapshot_;                   // the weights before the step, then its change
  Norms weight_norms_;                    // before the step
  std::map<std::string, Tensor> loaded_;  // weights before the step, by name, from a checkpoint
  std::vector<std::pair<std::size_t, Tensor>> masks_;  // by the place of the pruned in snapshot_
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<OptimizerMonitor>("optimizer_monitor"))
