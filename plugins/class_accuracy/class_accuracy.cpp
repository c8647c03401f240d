// class_accuracy: how well each class is recognized, in validation and test.
//
//   val_class_acc/<class>   samples of the class that were predicted as it, of all of the class
//   val_class_acc/mean      their mean over the classes that have samples (balanced accuracy)
//
// and the confusion matrix, in confusion_matrix_val.csv and .json of the run's directory, replaced by
// each validation; of a test all are called "test". The predicted class is the largest score. Counts
// stay on the model's device until the epoch ends. Of a second data loader "val_1", and so on. Samples
// whose target is no class (-100, as cross entropy ignores it) are not counted. How many classes there
// are, the first batch of an epoch decides. An instance with a label has names of its own:
// val_class_acc_<label>/mean, confusion_matrix_<label>_val.csv. In a fit, a file that can't be written is
// warned of once; a validation or test outside of one fails.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include <grapnel/plugin.hpp>

#include "../shared/instance_name.h"
#include "../shared/written_file.h"
#include "confusion_matrix.h"

namespace {

using namespace grapnel::plugin;

class ClassAccuracy final : public Callback {
 public:
  explicit ClassAccuracy(const Params& params)
      : output_(params.get("output", "predictions")),
        target_(static_cast<std::size_t>(params.get("target", 1))),
        per_class_(params.get("per_class", true)),
        max_classes_(params.get("max_classes", 1000)),
        files_(params.get("files", true)) {}

  void init(Services& services) override {
    label_ = services.plugin_info().label;
    if (files_) instance::check_for_files(label_);
  }

  void on_validation_epoch_start(Event&) override { loaders_.clear(); }
  void on_validation_batch_end(EvalBatchEnd& event) override { count(event); }
  void on_validation_epoch_end(Event& event) override { report(event, "val"); }
  void on_test_epoch_start(Event&) override { loaders_.clear(); }
  void on_test_batch_end(EvalBatchEnd& event) override { count(event); }
  void on_test_epoch_end(Event& event) override { report(event, "test"); }

 private:
  struct Counts {
    std::int64_t classes = 0;
    Tensor counts;  // [classes * classes]
  };

  Tensor scores_of(const Outputs& outputs) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs.name(i) == output_) return outputs[i];
    }
    return {};
  }

  void count(const EvalBatchEnd& event) {
    if (event.sanity_checking()) return;
    const Tensor scores = scores_of(event.outputs());
    if (!scores.defined()) {
      return idle(event, "the step has no output '" + output_ + "'");
    }
    if (event.batch().size() <= target_) {
      return idle(event, "the batch has no tensor " + std::to_string(target_));
    }
    const Tensor target = event.batch()[target_];
    if (scores.dim() != 2 || target.dim() != 1 || target.is_floating_point() ||
        scores.sizes()[0] != target.sizes()[0]) {
      return idle(event,
                  "scores [N, C] and whole classes [N] are needed, these are of another shape");
    }
    const std::int64_t classes = scores.sizes()[1];
    if (classes > max_classes_) {
      return idle(event, std::to_string(classes) +
                             " classes are more than max_classes=" + std::to_string(max_classes_));
    }
    const auto counts = loaders_.find(event.dataloader_idx());
    if (counts != loaders_.end() && counts->second.classes != classes) {
      return idle(event, "scores of " + std::to_string(classes) + " classes come after those of " +
                             std::to_string(counts->second.classes) + " in the same epoch");
    }
    // Class t predicted as p is number t * classes + p.
    const Tensor wide = target.to(Dtype::i64);  // a product of narrow integers wraps
    const Tensor known =
        wide.call("aten::ge", "Scalar", 0)
            .call("aten::logical_and", "", wide.call("aten::lt", "Scalar", classes));
    const Tensor number = wide.call("aten::mul", "Scalar", classes)
                              .call("aten::add", "Tensor", scores.call("aten::argmax", "", 1));
    const Tensor counted = event.call_named(
        "aten::bincount", "", arg("self", number.call("aten::masked_select", "", known)),
        arg("minlength", classes * classes));
    if (counts != loaders_.end()) {
      counts->second.counts.add_(counted);
    } else {
      loaders_[event.dataloader_idx()] = {classes, counted};
    }
  }

  void report(const Event& event, const std::string& stage) {
    if (event.sanity_checking()) return;
    for (const auto& [index, loader] : std::exchange(loaders_, {})) {
      const confusion::Matrix matrix{loader.classes, loader.counts.to_integers()};
      const std::string name = stage + (index == 0 ? "" : "_" + std::to_string(index));
      const std::string group = instance::named(name + "_class_acc", label_) + "/";
      if (const auto mean = matrix.mean_accuracy()) event.log(group + "mean", *mean);
      for (std::int64_t c = 0; per_class_ && c < matrix.classes; ++c) {
        const auto accuracy = matrix.accuracy(c);
        if (accuracy) event.log(group + std::to_string(c), *accuracy);
      }
      if (files_) write_files(event, name, matrix);
    }
  }

  void write_files(const Event& event, const std::string& name,
                   const confusion::Matrix& matrix) const {
    const std::filesystem::path base = std::filesystem::path(event.run_directory()) /
                                       (instance::named("confusion_matrix", label_) + "_" + name);
    try {
      write_file(base.string() + ".csv", confusion::as_csv(matrix));
      write_file(base.string() + ".json",
                 confusion::as_json(matrix, event.current_epoch(), event.global_step()));
    } catch (const files::FileError& error) {
      const std::string text = std::string(error.what()) + ", or set files to false";
      if (event.run_kind() != RunKind::fit) throw Error(text);
      event.logger().warning_once(text, text + "; the training continues without the file");
    }
  }

  static void write_file(const std::filesystem::path& path, const std::string& text) {
    const std::filesystem::path unfinished = files::unfinished(path);
    std::ofstream file = files::create(unfinished);
    files::write(file, unfinished, text);
    files::close(file, unfinished);
    files::replace(path, unfinished);
  }

  static void idle(const Event& event, const std::string& why) {
    event.logger().warning_once(why, "no class is counted in a batch: " + why);
  }

  std::string output_;
  std::size_t target_;  // in the batch
  bool per_class_;
  std::int64_t max_classes_;
  bool files_;
  std::string label_;
  std::map<std::int64_t, Counts> loaders_;  // of the running epoch, by data loader
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<ClassAccuracy>("class_accuracy"))
