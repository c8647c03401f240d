// What a progress bar costs a training of 10,000 steps a second that logs its loss for the bar: drawn on a
// pseudo terminal of 110 columns that somebody reads.
//
// Two trainings in turn, without a bar and with it. Counter share: by how much the second took longer, as
// a part of the first. Sparing the drawings themselves, a step may cost a clock's reading and no more.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>

#include <grapnel/callbacks/rich_progress_bar.h>
#include <grapnel/callbacks/tqdm_progress_bar.h>
#include <grapnel/data.h>
#include <grapnel/terminal_progress.h>
#include <grapnel/trainer.h>

namespace grapnel::bar_bench {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStep = std::chrono::microseconds(100);
constexpr std::int64_t kSteps = 10'000;

// A terminal and its reader.
class PseudoTerminal {
 public:
  PseudoTerminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) {
      throw std::runtime_error("there is no pseudo terminal");
    }
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    if (slave_ < 0) throw std::runtime_error("the pseudo terminal does not open");
    reader_ = std::thread([this] {
      std::array<char, 65536> screen;
      while (read(master_, screen.data(), screen.size()) > 0) {
      }
    });
  }
  ~PseudoTerminal() {
    close(slave_);
    reader_.join();
    close(master_);
  }

  void write_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = ::write(slave_, text.data(), text.size());
      if (written <= 0) throw std::runtime_error("the pseudo terminal takes nothing");
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  int master_;
  int slave_ = -1;
  std::thread reader_;
};

class TimedModule final : public Module {
 public:
  TimedModule() { automatic_optimization = false; }
  StepOutput training_step(Batch&, std::int64_t) override {
    const auto end = Clock::now() + kStep;
    log("loss", loss_, {.prog_bar = true});
    while (Clock::now() < end) {
    }
    return std::nullopt;
  }
  OptimizerConfig configure_optimizers() override { return {}; }

 private:
  at::Tensor loss_ = at::full({}, 0.25);
};

class TimedLoader final : public DataLoader {
 public:
  std::optional<std::int64_t> size() const override { return kSteps; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_++ == kSteps) return {};
    return batch_;
  }

 private:
  std::int64_t next_ = 0;
  Batch batch_{{at::full({1, 1}, 1.0)}};
};

double seconds_of(std::optional<CallbackHandle> bar, const PseudoTerminal& terminal) {
  TrainerOptions options;
  options.enable_checkpointing = false;
  options.enable_model_summary = false;
  options.max_epochs = 1;
  std::vector<CallbackHandle> callbacks;
  if (bar) {
    callbacks.push_back(std::move(*bar));
    TerminalOptions screen;
    screen.write = [&](std::string_view text) { terminal.write_all(text); };
    screen.width = [] { return std::optional(110); };
    screen.colors = TerminalColors::all;
    options.progress = std::make_shared<TerminalSink>(screen);
  } else {
    options.enable_progress_bar = false;
  }
  Trainer trainer(options, std::move(callbacks));
  TimedModule module;
  const auto start = Clock::now();
  trainer.fit(module, Data(std::make_shared<TimedLoader>()));
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class ProgressBar>
void bar(benchmark::State& state) {
  const PseudoTerminal terminal;
  double without = 0;
  double with = 0;
  for (auto _ : state) {
    without += seconds_of(std::nullopt, terminal);
    const double seconds = seconds_of(std::make_shared<ProgressBar>(), terminal);
    state.SetIterationTime(seconds);
    with += seconds;
  }
  state.counters["share"] = (with - without) / without;
}

BENCHMARK(bar<TQDMProgressBar>)->Name("bar/tqdm")->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(bar<RichProgressBar>)->Name("bar/rich")->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace grapnel::bar_bench
