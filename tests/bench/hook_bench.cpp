// What a hook costs: with 0, 1 and 20 callbacks, in core and in plugins, that want the hook or don't; fired
// by the dispatcher alone, and as a share of a whole training loop.
//
// dispatch/...: time of one fire of on_train_batch_end. loop/...: time of one training batch of a module
// that does nothing, all its hooks included.
#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <grapnel/base/files.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/dispatcher.h>
#include <grapnel/trainer.h>

using namespace grapnel;

namespace {

class Counter final : public Callback {
 public:
  void on_train_batch_end(TrainBatchEnd&) override { benchmark::DoNotOptimize(++batches_); }

 private:
  std::int64_t batches_ = 0;
};

class Bystander final : public Callback {
 public:
  void on_exception(ExceptionEvent&) override {}
};

CallbackHandle plugin(const std::string& callback) {
  static void* const library = dlopen(COUNTER, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  static const host::Manifest manifest =
      host::parse_manifest(read_file(COUNTER_MANIFEST, 1 << 20), "counter.json");
  const auto* entry =
      static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  for (std::uint64_t i = 0; i < entry->factory_count; ++i) {
    const grapnel_factory& factory = *entry->factories[i];
    if (std::string(factory.callback.data, factory.callback.size) != callback) continue;
    static int number = 0;
    bridge::PluginCallbackOptions options;
    options.name = std::to_string(++number);  // no two of one name in a trainer
    options.links_libtorch = false;           // as the loader finds
    return {std::make_shared<bridge::PluginCallback>(manifest, callback, factory, options),
            CallbackOrigin::plugin};
  }
  throw std::runtime_error("no callback " + callback);
}

using Make = std::function<CallbackHandle()>;

std::vector<CallbackHandle> several(const Make& make, std::int64_t count) {
  std::vector<CallbackHandle> handles;
  for (std::int64_t i = 0; i < count; ++i) handles.push_back(make());
  return handles;
}

// A module whose step does nothing: what remains is the loop.
class EmptyModule final : public Module {
 public:
  EmptyModule() { automatic_optimization = false; }
  StepOutput training_step(Batch&, std::int64_t) override { return std::nullopt; }
  OptimizerConfig configure_optimizers() override { return {}; }
};

class EmptyLoader final : public DataLoader {
 public:
  explicit EmptyLoader(std::int64_t batches) : batches_(batches) {}
  std::optional<std::int64_t> size() const override { return batches_; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_++ == batches_) return {};
    return batch_;
  }

 private:
  std::int64_t batches_;
  std::int64_t next_ = 0;
  Batch batch_{{at::zeros({1, 1})}};
};

void dispatch(benchmark::State& state, const Make& make) {
  const std::vector<CallbackHandle> handles = several(make, state.range(0));
  TrainerOptions options;
  options.enable_checkpointing = false;
  options.enable_model_summary = false;
  Trainer trainer(options);
  EmptyModule module;
  Dispatcher dispatcher;
  dispatcher.assign(handles);
  Batch batch({at::zeros({1, 1})});
  StepOutput outputs(at::zeros({}));
  for (auto _ : state) {
    TrainBatchEnd event{{trainer, module}, outputs, batch, 0};
    dispatcher.on_train_batch_end(event);
    benchmark::ClobberMemory();
  }
}

void loop(benchmark::State& state, const Make& make) {
  constexpr std::int64_t kBatches = 5000;
  for (auto _ : state) {
    state.PauseTiming();
    TrainerOptions options;
    options.enable_checkpointing = false;
    options.enable_model_summary = false;
    options.max_epochs = 1;
    auto trainer = std::make_unique<Trainer>(options, several(make, state.range(0)));
    EmptyModule module;
    const auto loader = std::make_shared<EmptyLoader>(kBatches);
    state.ResumeTiming();
    trainer->fit(module, Data(loader));
    state.PauseTiming();
    trainer.reset();
    state.ResumeTiming();
  }
  state.counters["per_batch"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kBatches),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_all() {
  const std::pair<const char*, Make> kinds[] = {
      {"core/wanted", [] { return CallbackHandle(std::make_shared<Counter>()); }},
      {"core/unwanted", [] { return CallbackHandle(std::make_shared<Bystander>()); }},
      {"plugin/wanted", [] { return plugin("counter"); }},
      {"plugin/reads_loss", [] { return plugin("loss"); }},
      {"plugin/reads_step", [] { return plugin("step"); }},
      {"plugin/unwanted", [] { return plugin("bystander"); }},
  };
  for (const auto& [name, make] : kinds) {
    benchmark::RegisterBenchmark((std::string("dispatch/") + name).c_str(), dispatch, make)
        ->Arg(0)
        ->Arg(1)
        ->Arg(20);
  }
  for (const auto& [name, make] : kinds) {
    benchmark::RegisterBenchmark((std::string("loop/") + name).c_str(), loop, make)
        ->Arg(0)
        ->Arg(1)
        ->Arg(20)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
