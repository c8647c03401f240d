#include "grapnel/summary.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/layer_observer.h"
#include "values/exception_text.h"
#include "values/rng.h"

namespace grapnel {

namespace {

std::string sizes_text(const TensorTree& tree) {
  if (tree.tensor.defined()) return fmt::format("[{}]", fmt::join(tree.tensor.sizes(), ", "));
  if (tree.children.empty()) return "?";
  std::vector<std::string> parts;
  for (const auto& [name, child] : tree.children) parts.push_back(sizes_text(child));
  return "[" + join(parts) + "]";
}

// Keeps the sizes of each layer's first pass and the operations of all of them.
class PassRecorder final : public LayerObserver {
 public:
  struct Seen {
    std::string in_size = "?";
    std::string out_size = "?";
    int64_t flops = 0;
    bool forwarded = false;
  };

  void on_enter(const void*) override { started_.push_back(flops_.total()); }
  void on_forward(const void* layer, const TensorTree& inputs, const TensorTree& output) override {
    Seen& seen = seen_[layer];
    if (seen.forwarded) return;
    seen.forwarded = true;
    seen.in_size = sizes_text(inputs);
    seen.out_size = sizes_text(output);
  }
  void on_leave(const void* layer) override {
    seen_[layer].flops += flops_.total() - started_.back();
    started_.pop_back();
  }

  Seen of(const void* layer) const {
    const auto found = seen_.find(layer);
    return found == seen_.end() ? Seen() : found->second;
  }
  int64_t total_flops() const { return flops_.total(); }

 private:
  FlopCounter flops_;
  std::vector<int64_t> started_;  // of the layers that are running
  std::map<const void*, Seen> seen_;
};

void pass_example(Module& module, const at::Tensor& example, PassRecorder& recorder) {
  const GeneratorScope generators;
  const at::NoGradGuard no_grad;
  const LayerObserver::Scope watching(recorder);
  const auto modes = module.training_modes();
  struct Restore {
    Module& module;
    const std::vector<std::pair<std::string, bool>>& modes;
    ~Restore() {
      try {
        module.set_training_modes(modes);
      } catch (...) {
        log_error("after the model's summary, the modes of its layers could not be put back: {}",
                  exception_text(std::current_exception()));
      }
    }
  } restore{module, modes};
  module.train(false);
  at::Tensor input = example;
  for (const StateEntry& entry : module.state_view().entries()) {
    input = input.to(entry.tensor.device());
    if (!input.is_floating_point() || !entry.tensor.is_floating_point()) continue;
    input = input.to(entry.tensor.scalar_type());  // of a model in another precision
    break;
  }
  module.forward(input);
}

int64_t depth_of(const std::string& name) {
  return 1 + std::count(name.begin(), name.end(), '.');
}

std::string count_text(int64_t count) {
  return human_count(static_cast<uint64_t>(count));
}

// "1,234.567": three decimals, thousands set apart.
std::string megabytes_text(double megabytes) {
  std::string text = fmt::format("{:.3f}", megabytes);
  for (size_t at = text.find('.'); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

void warn_without_sizes(const Module& module, const std::string& reason) {
  log_warning(
      "the summary of {} lacks sizes and FLOPs, because forward(example_input()) failed: {}",
      module.type_name(), reason);
}

}  // namespace

Summary summarize(Module& module, int64_t max_depth) {
  if (max_depth < -1) {
    throw ConfigError(
        {},
        fmt::format("max_depth={} is not possible; it must be -1 (all layers), 0 or more",
                    max_depth),
        "max_depth");
  }
  Summary summary;
  const at::Tensor example = module.example_input();
  PassRecorder recorder;
  if (example.defined()) {
    try {
      pass_example(module, example, recorder);
      summary.has_sizes = true;
      summary.total_flops = recorder.total_flops();
    } catch (const std::exception& error) {
      warn_without_sizes(module, exception_text(error));
    }
  }

  std::set<const c10::TensorImpl*> listed;
  for (const Layer& layer : module.layers()) {
    ++(layer.training ? summary.modules_in_train_mode : summary.modules_in_eval_mode);
    if (max_depth >= 0 && depth_of(layer.name) > max_depth) continue;
    LayerSummary row{.name = layer.name, .type = layer.type, .training = layer.training};
    for (const at::Tensor& parameter : layer.parameters) {
      row.num_parameters += parameter.numel();
      listed.insert(parameter.unsafeGetTensorImpl());
    }
    if (summary.has_sizes) {
      const PassRecorder::Seen seen = recorder.of(layer.identity);
      row.in_size = seen.in_size;
      row.out_size = seen.out_size;
      if (layer.identity == nullptr) {
        row.flops.reset();
      } else {
        row.flops = seen.flops;
      }
    }
    summary.layers.push_back(std::move(row));
  }
  for (const StateEntry& entry : module.state_view().parameters()) {
    const int64_t count = entry.tensor.numel();
    summary.total_parameters += count;
    if (entry.tensor.requires_grad()) summary.trainable_parameters += count;
    if (!listed.contains(entry.tensor.unsafeGetTensorImpl())) summary.other_parameters += count;
    summary.model_size += 1e-6 * static_cast<double>(entry.tensor.nbytes());
  }
  return summary;
}

TextTable Summary::table() const {
  std::vector<std::string> titles = {" ", "Name", "Type", "Params", "Mode", "FLOPs"};
  if (has_sizes) titles.insert(titles.end(), {"In sizes", "Out sizes"});
  const size_t columns = titles.size();
  TextTable table(std::move(titles));
  const auto add = [&](std::vector<std::string> cells) {
    cells.resize(columns);
    table.add(std::move(cells));
  };
  size_t number = 0;
  for (const LayerSummary& layer : layers) {
    add({std::to_string(number++), printable(layer.name), printable(layer.type),
         count_text(layer.num_parameters), layer.training ? "train" : "eval",
         layer.flops.has_value() ? count_text(*layer.flops) : "?", layer.in_size, layer.out_size});
  }
  if (other_parameters > 0) {
    add({" ", "other params", "n/a", count_text(other_parameters), "n/a", "n/a", "n/a", "n/a"});
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> Summary::totals() const {
  return {{"Trainable params", count_text(trainable_parameters)},
          {"Non-trainable params", count_text(total_parameters - trainable_parameters)},
          {"Total params", count_text(total_parameters)},
          {"Total estimated model params size (MB)", megabytes_text(model_size)},
          {"Modules in train mode", std::to_string(modules_in_train_mode)},
          {"Modules in eval mode", std::to_string(modules_in_eval_mode)},
          {"Total Flops", count_text(total_flops)}};
}

std::string Summary::to_text() const {
  std::string text = table().to_ruled_text();
  for (const auto& [label, value] : totals()) text += fmt::format("\n{:<10}{}", value, label);
  return text;
}

}  // namespace grapnel
