// Prunes parameters during the training: sets the least important of them to zero and keeps them
// there.
//
//   ModelPruning("l1_unstructured", {.parameters_to_prune = {"l1.weight"}, .amount = 0.2})
//
// After Lightning's class of that name and torch.nn.utils.prune, whose numbers it has. A pruned
// parameter keeps its name and its dense tensor, which the optimizer trains; its entry in the state
// view gets a mask of ones and zeros. C++ has no hook before a module's forward, so the masked
// values are leased into the model while a training step or an evaluation computes with them, and
// gradients are masked after each backward. Between those times, and in a forward outside of the
// trainer, the parameter has its dense values until the pruning is made permanent. An optimizer
// that calls its closure several times a step (LBFGS) sees the masked values the first time only.
//
// Differences from Lightning: the names of the parameters don't change, except in checkpoints,
// which have Lightning's "l1.weight_orig" and "l1.weight_mask"; masks are restored from
// checkpoints, also into a model that is not pruned yet; a file of weights alone has the masks
// applied too; a run that fails takes its masks away.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"
#include "grapnel/state_dict.h"

namespace grapnel {

struct PruningMethod;

// How much to prune: a count of elements (or channels), or a share of those that are left, 0.0 to
// 1.0.
using PruningAmount = std::variant<int64_t, double>;

// A pruning method of your own. scores [N] are the elements that no mask has yet pruned, over all
// parameters; amount as it was given. Returns a mask [N], 1 where an element stays and 0 elsewhere.
using PruningFunction =
    std::function<at::Tensor(const at::Tensor& scores, const PruningAmount& amount)>;

struct ModelPruningOptions {
  // Names such as "l1.weight"; empty: every parameter of a part of the model whose own name is one
  // of parameter_names, and those of the model itself when it has no such parts.
  std::vector<std::string> parameters_to_prune = {};
  std::vector<std::string> parameter_names = {"weight", "bias"};
  // Choose among the elements of all parameters together; only for unstructured methods. Else each
  // parameter loses its own share.
  bool use_global_unstructured = true;
  // Of the epoch, from 0.
  std::variant<PruningAmount, std::function<PruningAmount(int64_t epoch)>> amount =
      PruningAmount(0.5);
  std::variant<bool, std::function<bool(int64_t epoch)>> apply_pruning = true;
  // Apply the masks for good when the training ends, and in checkpoints.
  bool make_pruning_permanent = true;
  // Set the parameters back to their values before the training whenever they were pruned (Frankle
  // and Carbin, "The Lottery Ticket Hypothesis", 2018).
  std::variant<bool, std::function<bool(int64_t epoch)>> use_lottery_ticket_hypothesis = true;
  // Each time they were pruned, as the paper says. false: the first time only, which is what
  // Lightning does to a model on the CPU.
  bool rewind_every_time = false;
  bool resample_parameters = false;         // then, redraw them instead
  std::optional<int64_t> pruning_dim = {};  // of structured methods; negative: from the last
  std::optional<double> pruning_norm = {};  // of ln_structured: 1, 2, infinity, ...
  int64_t verbose = 0;                      // 1: log the sparsity; 2: of each parameter too
  bool prune_on_train_epoch_end = true;     // false: at the end of each validation
};

class GRAPNEL_CORE_API ModelPruning : public Callback {
 public:
  // All that one section of run.json has.
  struct Settings {
    std::string pruning_fn;
    ModelPruningOptions options = {};
  };

  // pruning_fn: "l1_unstructured", "random_unstructured", "ln_structured" or "random_structured".
  // Throws ConfigError for an unknown one (naming the nearest) and for options that don't fit.
  explicit ModelPruning(const std::string& pruning_fn, ModelPruningOptions options = {});
  // name: for logs.
  ModelPruning(std::string name, PruningFunction function, ModelPruningOptions options = {});
  explicit ModelPruning(Settings settings);
  ~ModelPruning() override;

  static const OptionsTable<Settings>& options_table();

  bool edits_weights() const override { return true; }
  // Gives the model the masks of the checkpoint.
  void before_weights_loaded(LoadCheckpoint& event) override;

  // Throws ConfigError for a parameter that the model lacks.
  void setup(StageEvent& event) override;
  void on_train_start(Event& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_after_backward(Event& event) override;
  void on_before_optimizer_step(OptimizerEvent& event) override;
  void on_after_optimizer_step(OptimizerEvent& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_validation_start(Event& event) override;
  void on_validation_epoch_end(Event& event) override;
  void on_validation_end(Event& event) override;
  void on_test_start(Event& event) override;
  void on_test_end(Event& event) override;
  void on_predict_start(Event& event) override;
  void on_predict_end(Event& event) override;
  void on_fit_end(Event& event) override;
  // Applies the masks for good, after what other callbacks do to the weights in on_fit_end.
  void teardown(StageEvent& event) override;
  void on_save_checkpoint(SaveCheckpoint& event) override;
  void on_load_checkpoint(LoadCheckpoint& event) override;

  // The names of the parameters that it prunes; empty before setup.
  const std::vector<std::string>& parameters_to_prune() const { return names_; }
  // Pruned elements and all elements of a parameter; {0, its size} while it is not pruned.
  std::pair<int64_t, int64_t> sparsity(Module& module, const std::string& name) const;

 protected:
  // Override to leave out some of the parameters that were found.
  virtual std::vector<std::string> filter_parameters_to_prune(Module& /*module*/,
                                                              std::vector<std::string> names) {
    return names;
  }

  void on_disabled() override { masked_.end(); }

 private:
  struct Pruned {
    at::Tensor mask;       // the state view's
    at::Tensor effective;  // the masked values that the model last computed with
    Lease lease;           // of the mask in the state view
  };

  void check_options() const;

  void prune(Event& event);
  std::map<std::string, at::Tensor> new_masks(const Trainer& trainer, Module& module,
                                              const PruningAmount& amount) const;
  void adopt_masks(Trainer& trainer, Module& module);
  void set_mask(Trainer& trainer, Module& module, const std::string& name, at::Tensor mask);
  void rewind(const Trainer& trainer, Module& module);
  void keep_unpruned(const Trainer& trainer, Module& module);
  void restore_unpruned(Trainer& trainer, Module& module);
  void apply_masks(Trainer& trainer, Module& module);
  void keep_masks();
  void make_permanent(Module& module);
  void report(Module& module, const std::vector<std::pair<int64_t, int64_t>>& before,
              const PruningAmount& amount) const;

  std::unique_ptr<PruningMethod> method_;
  ModelPruningOptions options_;
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> originals_;  // values to rewind to
  std::map<std::string, Pruned> pruned_;         // by name
  StateDict unpruned_;  // by name: before the pruning at the end of an epoch that was cut short
  Lease masked_;        // masked values, while a model computes
  bool ended_ = false;  // the fit, well
};

}  // namespace grapnel
