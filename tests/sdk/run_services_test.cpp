// What events give about the course of a training, through the wrapper: learning rates, terms of the
// loss, the training thread, the device, times, processes. And in C, without it.
#include <functional>
#include <thread>
#include <utility>

#include "catch.h"
#include "wrapped.h"

namespace run_services_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;
using grapnel::plugin::Phase;
using grapnel::plugin::Recording;
using grapnel::plugin::Reduction;
using grapnel::plugin::Services;
using grapnel::plugin::Tensor;
using grapnel::plugin::TrainingThread;
using grapnel::plugin::Unsupported;

namespace {

std::function<void(Callback::BackwardEvent&)> body;

struct Runner final : Callback {
  void on_before_backward(BackwardEvent& event) override { body(event); }
};

std::int32_t run(RecordingHost& host, std::function<void(Callback::BackwardEvent&)> what) {
  body = std::move(what);
  RunningCallback running(host, plugin_of<Runner>(), "it");
  return running.fire(GRAPNEL_HOOK_on_before_backward, grapnel_BackwardEvent{});
}

template <class Table>
const Table& table(const RecordingHost& host, std::string_view id) {
  const void* found = nullptr;
  REQUIRE(host.abi()->get_extension(host.abi(), to_abi(id), &found) == GRAPNEL_OK);
  return *static_cast<const Table*>(found);
}

}  // namespace

TEST_CASE("a plugin sets factors on learning rates and reads the rates of the next step") {
  RecordingHost host;
  host.optimizers = {{"SGD", {{{"lr", 0.5}}, {{"lr", 0.25}}}}, {"Adam", {{{"lr", 1}}}}};
  CHECK(run(host, [](auto& event) {
          const auto schedule = event.schedule();
          schedule.set_factor(0.5);
          schedule.set_factor(0, 1, 4);
          CHECK(schedule.factor(1, 0) == 0.5);
          CHECK(schedule.rate(0, 0) == 0.25);
          CHECK(schedule.rate(0, 1) == 1);
          schedule.set_factor(std::size_t{1}, 0.125);
          CHECK(schedule.rate(1, 0) == 0.125);
          CHECK_THROWS_AS(schedule.rate(2, 0), grapnel::plugin::Error);
          CHECK_THROWS_AS(schedule.set_factor(-1.0), grapnel::plugin::Error);
        }) == GRAPNEL_OK);
  CHECK(host.rate_factors.size() == 3);
}

TEST_CASE("a plugin adds a term to the loss, recorded as long as its Recording lives") {
  RecordingHost host;
  host.step_loss = 2.5;
  host.parameters = {{"w", FakeTensor::make({1, 2}), nullptr}};
  CHECK(run(host, [&](auto& event) {
          Tensor term;
          {
            const Recording recording = event.record();
            CHECK(host.is_recording);
            term = event.parameters()[0].tensor().sum();
          }
          CHECK_FALSE(host.is_recording);
          CHECK(event.step_loss().item() == 2.5);
          event.add_term("l1", term);
        }) == GRAPNEL_OK);
  CHECK(host.loss_terms == std::vector<std::pair<std::string, double>>{{"l1", 3}});
  CHECK(run(host, [](auto& event) { event.add_term("l1", event.parameters()[0].tensor()); }) ==
        GRAPNEL_PENDING);
  CHECK(host.live_handles == 0);
  host.step_loss.reset();
  CHECK(run(host, [](auto& event) { const Recording recording = event.record(); }) ==
        GRAPNEL_ERROR);
  CHECK(host.failures.back() == "recording gradients: not possible in this hook");
}

TEST_CASE(
    "a function posted from a thread runs before the next hook, or is freed with the plugin") {
  static std::vector<std::string> ran;
  ran.clear();
  struct Poster final : Callback {
    void init(Services& services) override { thread.emplace(services.training_thread()); }
    void on_train_start(Event&) override {
      std::thread([this] {
        CHECK(thread->post([](Services& services) {
          ran.push_back("at step " + std::to_string(services.global_step()));
        }));
      }).join();
      ran.emplace_back("start");
    }
    void on_train_end(Event&) override {
      ran.emplace_back("end");
      thread->post([kept = std::make_shared<int>()](Services&) { ran.emplace_back("never"); });
    }
    std::optional<TrainingThread> thread;
  };
  RecordingHost host;
  {
    RunningCallback running(host, plugin_of<Poster>(), "it");
    running.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_start);
    host.trainer.global_step = 7;
    running.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_end);
  }
  CHECK(ran == std::vector<std::string>{"start", "at step 7", "end"});
  CHECK(host.posted.empty());
}

TEST_CASE("what a posted function throws is a failure of the plugin") {
  struct Thrower final : Callback {
    void on_train_start(Event& event) override {
      event.training_thread().post([](Services&) { throw grapnel::plugin::Error("lost"); });
    }
    void on_train_end(Event&) override {}
  };
  RecordingHost host;
  RunningCallback running(host, plugin_of<Thrower>(), "it");
  CHECK(running.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_start) == GRAPNEL_OK);
  CHECK(running.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_end) == GRAPNEL_ERROR);
  CHECK(host.failures.back() == "lost");
}

TEST_CASE("a plugin reads the device, and what is unknown is empty") {
  RecordingHost host;
  host.device.name = "NVIDIA H200";
  host.device.type = GRAPNEL_DEVICE_CUDA;
  host.device.memory = {{5, 10}};
  CHECK(run(host, [](auto& event) {
          const auto device = event.device();
          CHECK(device.name() == "NVIDIA H200");
          CHECK_FALSE(device.is_cpu());
          CHECK(device.index() == 0);
          CHECK(device.memory()->used == 5);
          CHECK(device.memory()->total == 10);
          CHECK_FALSE(device.utilization().has_value());
          CHECK_FALSE(device.process_memory().has_value());
        }) == GRAPNEL_OK);
}

TEST_CASE("a plugin reads where the time goes, and nothing outside of a fit") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          CHECK_FALSE(event.timing().seconds(Phase::forward).has_value());
          CHECK_FALSE(event.timing().total().has_value());
        }) == GRAPNEL_OK);
  host.times.emplace();
  host.times->phases = {1, 2, 3, 4, 5, 6, 7};
  host.times->total = 28;
  host.times->in_hooks = 0.5;
  host.times->batches = 10;
  host.times->samples = 42;
  CHECK(run(host, [](auto& event) {
          const auto timing = event.timing();
          CHECK(timing.seconds(Phase::data_wait) == 2.0);
          CHECK(timing.seconds(Phase::validation) == 7.0);
          CHECK(timing.total()->seconds == 28);
          CHECK(timing.total()->in_hooks == 0.5);
          CHECK(timing.count()->samples == 42);
          CHECK(timing.samples_per_second() == 2.0);
        }) == GRAPNEL_OK);
}

TEST_CASE("in one process a plugin is rank 0, and collectives leave its tensors") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const auto processes = event.distributed();
          CHECK(processes.rank() == 0);
          CHECK(processes.world_size() == 1);
          CHECK(processes.local_rank() == 0);
          Tensor tensor = event.tensor({1, 2});
          processes.barrier();
          processes.all_reduce_(tensor, Reduction::mean);
          processes.broadcast_(tensor, 0);
          CHECK(tensor.to_vector() == std::vector<double>{1, 2});
          CHECK_THROWS_AS(processes.broadcast_(tensor, 1), grapnel::plugin::Error);
        }) == GRAPNEL_OK);
}

TEST_CASE("a host without these extensions is Unsupported, which names the one that it lacks") {
  RecordingHost host;
  for (const char* id : {GRAPNEL_EXT_SCHEDULE, GRAPNEL_EXT_AUTOGRAD, GRAPNEL_EXT_THREAD,
                         GRAPNEL_EXT_DEVICE, GRAPNEL_EXT_TIMING, GRAPNEL_EXT_DISTRIBUTED}) {
    host.missing.insert(id);
  }
  const auto lacks = [](auto&& use, const std::string& id) {
    CHECK_THROWS_WITH(use(), "this host does not offer the extension " + id);
    CHECK_THROWS_AS(use(), Unsupported);
  };
  CHECK(run(host, [&](auto& event) {
          lacks([&] { event.schedule().set_factor(1.0); }, GRAPNEL_EXT_SCHEDULE);
          lacks([&] { event.record(); }, GRAPNEL_EXT_AUTOGRAD);
          lacks([&] { event.training_thread(); }, GRAPNEL_EXT_THREAD);
          lacks([&] { event.device(); }, GRAPNEL_EXT_DEVICE);
          lacks([&] { event.timing().total(); }, GRAPNEL_EXT_TIMING);
          lacks([&] { event.distributed(); }, GRAPNEL_EXT_DISTRIBUTED);
        }) == GRAPNEL_OK);
}

TEST_CASE("in C the tables answer as the headers say") {
  RecordingHost host;
  const grapnel_host* abi = host.abi();
  const auto& schedule = table<grapnel_schedule>(host, GRAPNEL_EXT_SCHEDULE);
  CHECK(schedule.set_factor(abi, 0, 0, 2) == GRAPNEL_NOT_FOUND);
  host.optimizers = {{"SGD", {{{"lr", 0.5}}}}};
  CHECK(schedule.set_factor(abi, 0, 0, 2) == GRAPNEL_OK);
  double value = 0;
  CHECK(schedule.rate(abi, 0, 0, &value) == GRAPNEL_OK);
  CHECK(value == 1);
  const auto& autograd = table<grapnel_autograd>(host, GRAPNEL_EXT_AUTOGRAD);
  CHECK(autograd.begin_recording(abi) == GRAPNEL_NOT_NOW);
  host.step_loss = 1;
  CHECK(autograd.end_recording(abi) == GRAPNEL_INVALID_ARGUMENT);
  const auto& thread = table<grapnel_thread>(host, GRAPNEL_EXT_THREAD);
  CHECK(thread.post(abi, nullptr, nullptr, nullptr) == GRAPNEL_INVALID_ARGUMENT);
  const auto& device = table<grapnel_device>(host, GRAPNEL_EXT_DEVICE);
  CHECK(device.utilization(abi, &value) == GRAPNEL_NOT_FOUND);
  const auto& timing = table<grapnel_timing>(host, GRAPNEL_EXT_TIMING);
  CHECK(timing.phase(abi, 99, &value) == GRAPNEL_UNSUPPORTED);
  const auto& processes = table<grapnel_distributed>(host, GRAPNEL_EXT_DISTRIBUTED);
  const grapnel_process_info* info = nullptr;
  CHECK(processes.info(abi, &info) == GRAPNEL_OK);
  CHECK(info->world_size == 1);
}

TEST_CASE("a plugin finds checkpoints and pins them") {
  RecordingHost host;
  host.checkpoints.last = "/run/b.ckpt";
  host.checkpoints.best = "/run/a.ckpt";
  host.checkpoints.best_value = 0.25;
  CHECK(run(host, [&](auto& event) {
          CHECK(event.last_checkpoint() == "/run/b.ckpt");
          CHECK(event.best_checkpoint()->path == "/run/a.ckpt");
          CHECK(event.best_checkpoint()->value == 0.25);
          CHECK_FALSE(event.checkpoint_in_the_making().has_value());
          event.pin_checkpoint("/run/a.ckpt", "upload");
          event.pin_checkpoint("/run/b.ckpt", "upload");
          CHECK(event.unpin_checkpoint("/run/b.ckpt"));
          CHECK_FALSE(event.unpin_checkpoint("/run/b.ckpt"));
        }) == GRAPNEL_OK);
  CHECK(host.pins == std::multiset<std::string>{"/run/a.ckpt"});
}

TEST_CASE("a plugin draws below the bars of a terminal and prints above them") {
  RecordingHost host;
  host.terminal->columns = 30;
  CHECK(run(host, [&](auto& event) {
          CHECK(event.terminal()->columns == 30);
          CHECK(event.draw({{"one", "bold"}, {"two"}}));
          CHECK(event.print("above"));
        }) == GRAPNEL_OK);
  CHECK(host.drawn == std::vector<std::string>{"one", "two"});
  CHECK(host.printed == std::vector<std::string>{"above"});
  host.terminal.reset();
  CHECK(run(host, [](auto& event) {
          CHECK_FALSE(event.terminal().has_value());
          CHECK_FALSE(event.draw({}));
          CHECK_FALSE(event.print("nothing"));
        }) == GRAPNEL_OK);
}

TEST_CASE("a plugin runs the model, and is told that a hook has none") {
  RecordingHost host;
  host.forward = [](const FakeTensorPtr& input) {
    auto output = FakeTensor::make(input->values);
    for (double& value : output->values) value *= 2;
    return output;
  };
  CHECK(run(host, [](auto& event) {
          const Tensor input = event.tensor({1, 2.5});
          CHECK(event.forward(input).to_vector() == std::vector<double>{2, 5});
          CHECK(event.forward(input, grapnel::plugin::ForwardMode::as_is).numel() == 2);
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
  host.forward = nullptr;
  CHECK(run(host, [](auto& event) { event.forward(event.tensor({1})); }) == GRAPNEL_ERROR);
  CHECK(host.failures.back() == "running the model: not possible in this hook");
}

TEST_CASE("in C: checkpoints and the terminal") {
  RecordingHost host;
  const auto& checkpoint = table<grapnel_checkpoint>(host, GRAPNEL_EXT_CHECKPOINT);
  grapnel_string path{};
  CHECK(checkpoint.struct_size == sizeof checkpoint);
  CHECK(checkpoint.last(host.abi(), &path) == GRAPNEL_NOT_FOUND);
  const auto& terminal = table<grapnel_terminal>(host, GRAPNEL_EXT_TERMINAL);
  CHECK(terminal.struct_size == sizeof terminal);
  CHECK(terminal.print(host.abi(), to_abi("line")) == GRAPNEL_OK);
  CHECK(host.printed.size() == 1);
}

}  // namespace run_services_test
