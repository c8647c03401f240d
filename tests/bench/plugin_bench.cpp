// What plugins cost a fast training with their defaults.
//
//   plugin_bench [--rounds N] [--batch-size N] [--log-every N] [--together] PLUGIN.so ...
//
// Trains a small network for epochs of 1,000 steps, in turn without a plugin and with each one, in an
// order that changes from round to round. Prints for each plugin what it adds to a step, over the pairs
// with none of the same round: median and quartiles, as a share of the step and in microseconds, and how
// much of it passed within its hooks; the rest is what they push out of the caches. "none again" is no
// plugin at all: the noise. The time is the thread's own, without the start and the end of a run.
//
// --batch-size sets the speed (default 64), --log-every the steps between two that are logged (50).
// --together measures all plugins in one training too. "lerp in C++" is what LibTorch takes for the update of ema, called by a callback of the library's own.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/bridge/plugins.h>
#include <grapnel/data/tensor_loader.h>
#include <grapnel/loggers/csv_logger.h>
#include <grapnel/models/mlp.h>
#include <grapnel/state_view.h>
#include <grapnel/trainer.h>

using namespace grapnel;

namespace {

constexpr std::int64_t kSteps = 1000;  // of an epoch
constexpr std::int64_t kWarmUp = 100;  // of these, before the clock starts

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Stopwatch final : public Callback {
 public:
  void on_train_batch_start(TrainBatchStart& event) override {
    if (event.batch_idx == kWarmUp) start_ = thread_seconds();
  }
  void on_train_epoch_end(Event&) override { seconds_ = thread_seconds() - start_; }

  double microseconds_of_step() const {
    return seconds_ / static_cast<double>(kSteps - kWarmUp) * 1e6;
  }

 private:
  double start_ = 0;
  double seconds_ = 0;
};

class LerpInCpp final : public Callback {
 public:
  void on_train_batch_end(TrainBatchEnd& event) override {
    const c10::AutoGradMode without_grad(false);
    if (live_.empty()) {
      for (const StateEntry& entry : event.module.state_view().entries()) {
        live_.push_back(entry.tensor.detach());
        average_.push_back(entry.tensor.clone());
      }
    }
    at::_foreach_lerp_(average_, live_, 0.001);
  }

 private:
  std::vector<at::Tensor> live_, average_;
};

struct Setup {
  std::int64_t rounds = 40;
  std::int64_t batch_size = 64;
  std::int64_t log_every = 50;
  bool together = false;
  std::vector<std::string> plugins;
};

Setup parse(int argc, char** argv) {
  Setup setup;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto number = [&] {
      const std::int64_t value = i + 1 < argc ? std::atoll(argv[++i]) : 0;
      if (value < 1) throw std::runtime_error(fmt::format("{} takes a number above 0", argument));
      return value;
    };
    if (argument == "--rounds") {
      setup.rounds = number();
    } else if (argument == "--batch-size") {
      setup.batch_size = number();
    } else if (argument == "--log-every") {
      setup.log_every = number();
    } else if (argument == "--together") {
      setup.together = true;
    } else {
      setup.plugins.emplace_back(std::filesystem::absolute(argument).string());
    }
  }
  return setup;
}

struct Kind {
  std::string name;
  std::vector<std::string> plugins;  // their files
  bool lerp = false;
  std::vector<double> steps = {};     // microseconds, one per round
  std::vector<double> in_hooks = {};  // of these
};

// Of the hooks of plugins that come with every step.
double seconds_in_hooks(const Trainer& trainer) {
  double seconds = 0;
  for (const CallbackHandle& handle : trainer.callbacks()) {
    const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(handle.callback.get());
    if (plugin == nullptr) continue;
    for (const auto& hook : plugin->hook_times()) {
      if (hook.calls >= static_cast<std::uint64_t>(kSteps)) seconds += hook.seconds;
    }
  }
  return seconds;
}

class Bench {
 public:
  explicit Bench(const Setup& setup)
      : inputs_(at::randn({kSteps * setup.batch_size, 64})),
        targets_(at::randint(10, {kSteps * setup.batch_size}, at::kLong)),
        batch_size_(setup.batch_size),
        log_every_(setup.log_every) {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("plugin_bench-{}", getpid());
    std::filesystem::create_directories(directory_);
  }
  ~Bench() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void train(Kind& kind) const {
    const auto stopwatch = std::make_shared<Stopwatch>();
    std::vector<CallbackHandle> callbacks = {stopwatch};
    if (kind.lerp) callbacks.emplace_back(std::make_shared<LerpInCpp>());
    TrainerOptions options;
    options.max_epochs = 1;
    options.seed = 1;
    options.log_every_n_steps = log_every_;
    options.enable_checkpointing = false;
    options.enable_model_summary = false;
    options.loggers = {
        std::make_shared<CSVLogger>(CSVLoggerOptions{.directory = {.save_dir = directory_}})};
    host::SelectionOptions selection;
    selection.environment = "none";
    selection.plugins = kind.plugins;
    const auto trainer = bridge::make_trainer(options, callbacks, selection);
    MLP model;
    trainer->fit(model, Data(std::make_shared<TensorLoader>(
                            std::vector<at::Tensor>{inputs_, targets_},
                            TensorLoaderOptions{.batch_size = batch_size_, .shuffle = true})));
    kind.steps.push_back(stopwatch->microseconds_of_step());
    kind.in_hooks.push_back(seconds_in_hooks(*trainer) / static_cast<double>(kSteps) * 1e6);
  }

 private:
  at::Tensor inputs_, targets_;
  std::int64_t batch_size_;
  std::int64_t log_every_;  // steps
  std::filesystem::path directory_;
};

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

std::string spread(const std::vector<double>& values) {
  return fmt::format("{:6.2f} ({:.2f} to {:.2f})", quantile(values, 0.5), quantile(values, 0.25),
                     quantile(values, 0.75));
}

void run(const Setup& setup) {
  std::vector<Kind> kinds = {{.name = "none", .plugins = {}},
                             {.name = "none again", .plugins = {}},
                             {"lerp in C++", {}, true}};
  for (const std::string& plugin : setup.plugins) {
    kinds.push_back({.name = std::filesystem::path(plugin).stem().string(), .plugins = {plugin}});
  }
  if (setup.together) kinds.push_back({.name = "all of them", .plugins = setup.plugins});
  const Bench bench(setup);
  std::mt19937_64 random(1);
  std::vector<Kind*> order;
  for (Kind& kind : kinds) order.push_back(&kind);
  for (std::int64_t round = 0; round <= setup.rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (Kind* kind : order) {
      bench.train(*kind);
    }
    if (round > 0) continue;
    for (Kind& kind : kinds) {  // the first loads what it needs
      kind.steps.clear();
      kind.in_hooks.clear();
    }
  }
  const std::vector<double>& none = kinds.front().steps;
  fmt::print("{:20} {} microseconds a step, {} rounds\n", "none", spread(none), setup.rounds);
  for (const Kind& kind : kinds) {
    if (&kind == &kinds.front()) continue;
    std::vector<double> added, shares;
    for (std::size_t i = 0; i < none.size(); ++i) {
      added.push_back(kind.steps[i] - none[i]);
      shares.push_back(100 * added.back() / none[i]);
    }
    fmt::print("{:20} {} %    {} microseconds, {:.2f} in hooks\n", kind.name, spread(shares),
               spread(added), quantile(kind.in_hooks, 0.5));
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Setup setup = parse(argc, argv);
    at::set_num_threads(1);  // as grapnel does
    run(setup);
  } catch (const std::exception& error) {
    fmt::print(stderr, "plugin_bench: {}\n", error.what());
    return 1;
  }
}
