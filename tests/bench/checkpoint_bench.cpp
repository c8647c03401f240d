// What saving and loading a checkpoint costs, as JSON: seconds, the fastest and the median of several
// rounds, and the peak of memory in bytes over the model's. checkpoint_bench.py runs it beside
// torch.save() and safetensors and prints the ratios.
//
//   checkpoint_bench DIRECTORY [MEBIBYTES=256] [ROUNDS=5]
#include <ATen/ATen.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/checkpoint.h>
#include <grapnel/optim/sgd.h>
#include <grapnel/trainer.h>

namespace {

using namespace grapnel;

constexpr std::int64_t kTensorBytes = 4 << 20;  // of 1024 x 1024 floats

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ConfigValue seconds_of(std::vector<double> all) {
  std::ranges::sort(all);
  ConfigValue result = ConfigValue::object();
  result.set("fastest", all.front());
  result.set("median", all[all.size() / 2]);
  return result;
}

ConfigValue timed(int rounds, const std::function<void()>& act) {
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) {
    const double start = now();
    act();
    all.push_back(now() - start);
  }
  return seconds_of(all);
}

// Bytes of this process's memory: now, or the most since reset_peak().
std::int64_t memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

void reset_peak() {
  std::ofstream("/proc/self/clear_refs") << 5;
}

// The peak while `act` runs, over what was there before.
std::int64_t peak_of(const std::function<void()>& act) {
#if defined(__GLIBC__)
  malloc_trim(0);  // what earlier rounds have freed must not be there to be used again
#endif
  reset_peak();
  const std::int64_t before = memory("VmRSS");
  act();
  return memory("VmHWM") - before;
}

// A model of many layers that a batch changes completely, as an optimizer does.
class Layers : public Module {
 public:
  explicit Layers(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      weights.push_back(at::randn({1024, 1024}).set_requires_grad(true));
      view_.add({"layer" + std::to_string(i) + ".weight", weights.back()});
    }
  }
  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const at::Tensor& weight : weights) y = at::tanh(y.mm(weight));
    return y;
  }
  StepOutput training_step(Batch& batch, std::int64_t) override {
    return forward(batch[0]).pow(2).mean();
  }
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<SGD>(weights, SGDOptions{.lr = 1e-6});
  }
  std::vector<at::Tensor> weights;
};

class Batches final : public DataLoader {
 public:
  explicit Batches(std::int64_t count) : count_(count) {}
  std::optional<std::int64_t> size() const override { return count_; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_++ == count_) return {};
    return Batch({x_}, {"x"});
  }

 private:
  std::int64_t count_;
  std::int64_t next_ = 0;
  at::Tensor x_ = at::randn({16, 1024});
};

// Saves at every third batch; notes what the save takes from the training, and how long batches are
// with one and without one.
class Saves final : public Callback {
 public:
  explicit Saves(std::filesystem::path file) : file_(std::move(file)) {}
  void on_train_batch_start(TrainBatchStart&) override { start_ = now(); }
  void on_train_batch_end(TrainBatchEnd& event) override {
    const double end = now();
    if (event.batch_idx > 2) (after_save_ ? beside : without).push_back(end - start_);
    after_save_ = event.batch_idx % 4 == 0;
    if (!after_save_) return;
    event.trainer.start_checkpoint(file_, /*weights_only=*/true);
    if (event.batch_idx > 0) stalls.push_back(now() - end);
  }
  std::vector<double> stalls, beside, without;

 private:
  std::filesystem::path file_;
  double start_ = 0;
  bool after_save_ = false;
};

ConfigValue training(CheckpointSaving saving, Layers& model, const std::filesystem::path& file) {
  const auto saves = std::make_shared<Saves>(file);
  TrainerOptions options;
  options.max_epochs = 1;
  options.enable_checkpointing = false;
  options.enable_model_summary = false;
  options.checkpoint_saving = saving;
  Trainer trainer(options, {saves});
  trainer.fit(model, std::make_shared<Batches>(25));
  ConfigValue result = ConfigValue::object();
  result.set("stall", seconds_of(saves->stalls));
  result.set("batch_beside_a_save", seconds_of(saves->beside));
  result.set("batch_without", seconds_of(saves->without));
  return result;
}

}  // namespace

int main(int count, char** values) {
  if (count < 2) {
    std::fputs("checkpoint_bench DIRECTORY [MEBIBYTES] [ROUNDS]\n", stderr);
    return 2;
  }
  const std::filesystem::path directory = values[1];
  const std::int64_t mebibytes = count > 2 ? std::stoll(values[2]) : 256;
  const int rounds = count > 3 ? std::stoi(values[3]) : 5;
  const std::int64_t layers = std::max<std::int64_t>((mebibytes << 20) / kTensorBytes, 1);
  const auto file = directory / "bench.ckpt";

  Layers model(layers);
  StateDict weights;
  for (std::int64_t i = 0; i < layers; ++i) {
    weights["layer" + std::to_string(i) + ".weight"] =
        model.weights[static_cast<std::size_t>(i)].detach();
  }
  const StateDict checkpoint = {{"state_dict", weights}};
  const auto save = [&] { save_checkpoint_file(file, checkpoint); };
  const auto load = [&] { static_cast<void>(load_checkpoint_file(file)); };

  ConfigValue result = ConfigValue::object();
  const auto bytes = static_cast<double>(layers * kTensorBytes);
  result.set("model_bytes", layers * kTensorBytes);
  result.set("save", timed(rounds, save));
  result.set("load", timed(rounds, load));
  result.set("save_peak", static_cast<double>(peak_of(save)) / bytes);
  result.set("load_peak", static_cast<double>(peak_of(load)) / bytes);
  result.set("synchronous", training(CheckpointSaving::synchronous, model, file));
  result.set("asynchronous", training(CheckpointSaving::asynchronous, model, file));
  std::filesystem::remove(file);
  std::puts(write_json(result, JsonStyle::pretty).c_str());
  return 0;
}
