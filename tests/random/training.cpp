#include "training.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <fmt/format.h>
#include <grapnel/base/error.h>
#include <grapnel/callback_keys.h>
#include <grapnel/callbacks/checkpoint.h>
#include <grapnel/callbacks/registry.h>
#include <grapnel/loggers/registry.h>
#include <grapnel/trainer.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <stdexcept>

#include "planned_data.h"
#include "planned_model.h"
#include "shipped_plugins.h"

namespace grapnel::random_test {

namespace {

namespace fs = std::filesystem;

struct PlannedException : std::runtime_error {
  PlannedException() : std::runtime_error("the plan's exception") {}
};

void kill_this_process() {
  std::raise(SIGKILL);
}

std::function<void(Trainer&)> action(const TrainingSetup& setup, bool& stopped) {
  const std::string kind = setup.order->stop.kind;
  return [kind, &setup, &stopped](Trainer& trainer) {
    stopped = true;
    if (kind == "checkpoint") {
      trainer.save_checkpoint(stop_checkpoint(setup.directory));
      fs::copy(setup.directory, setup.snapshot,
               fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
    if (kind == "checkpoint" || kind == "exception") throw PlannedException();
    if (kind == "interrupt") trainer.interrupt(SIGTERM);
    if (kind == "request_stop") trainer.request_stop("the plan's stop");
    if (kind == "kill_hook") kill_this_process();
  };
}

TrainerOptions trainer_options_of(const Plan& plan, const TrainingSetup& setup,
                                  const ManualClock& clock) {
  const ConfigValue* given = plan.document.find("trainer");
  TrainerOptions options = trainer_options(trainer_options_table().parameters().validate(
      given == nullptr ? ConfigValue() : *given, "trainer"));
  options.default_root_dir = setup.directory;
  options.enable_model_summary = false;
  options.enable_progress_bar = false;
  options.clock = &clock;
  options.seed = plan.seed;
  if (setup.order) {
    const std::string& kind = setup.order->stop.kind;
    if (kind == "max_steps") options.max_steps = setup.order->limit;
    if (kind == "max_epochs") options.max_epochs = setup.order->limit;
    if (kind == "max_time") {
      options.max_time =
          fmt::format("00:00:{:02}:{:02}", setup.order->limit / 60, setup.order->limit % 60);
    }
  }
  return options;
}

// The user's callbacks with the probe among them, the keeper, the plugins.
std::vector<CallbackHandle> callbacks_of(const Plan& plan, const TrainingSetup& setup,
                                         const std::shared_ptr<Probe>& probe) {
  std::vector<CallbackHandle> all;
  if (const ConfigValue* named = plan.document.find("callbacks")) {
    for (const auto& member : named->as_object()) {
      ConfigValue parameters = with_run_directory(member.value, setup.directory);
      static const ParameterTable none("counter", "The tester's own.", {});
      const auto* entry = callback_registry().find(member.key);
      const CallFilter filter =
          take_callback_keys(parameters, entry == nullptr ? none : entry->parameters(), member.key)
              .filter;
      CallbackHandle handle = entry == nullptr ? CallbackHandle(std::make_shared<CallCounter>())
                                               : make_callback(member.key, parameters, member.key);
      all.push_back(filter == CallFilter() ? handle : handle.only(filter));
    }
  }
  const bool last = probe->place() == Callback::Place::checkpoint;
  const size_t place = last ? all.size() : place_of_probe(plan, all.size());
  all.insert(all.begin() + static_cast<std::ptrdiff_t>(place), CallbackHandle(probe));
  if (const ConfigValue* keeper = plan.document.find("keeper")) {
    ConfigValue parameters = with_run_directory(*keeper, setup.directory);
    const std::string name = parameters.at("name").as_string();
    parameters.erase("name");
    CallbackHandle handle = make_callback(name, parameters, "keeper");
    handle.callback->set_name("keeper");
    all.push_back(handle);
  }
  if (const ConfigValue* named = plan.document.find("plugins")) {
    for (const auto& member : named->as_object()) {
      ConfigValue parameters = with_run_directory(member.value, setup.directory);
      all.push_back(shipped_plugin(member.key, parameters));
    }
  }
  return all;
}

bool writes_checkpoints(const std::vector<CallbackHandle>& callbacks) {
  return std::any_of(callbacks.begin(), callbacks.end(), [](const CallbackHandle& handle) {
    return dynamic_cast<const Checkpoint*>(handle.callback.get()) != nullptr;
  });
}

std::vector<std::pair<std::string, at::Tensor>> copies(PlannedModel& model) {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const StateEntry& entry : model.state_view().entries()) {
    all.emplace_back(entry.name, entry.tensor.detach().clone());
  }
  return all;
}

}  // namespace

fs::path stop_checkpoint(const fs::path& directory) {
  return directory / "stop" / "stop.ckpt";
}

Ending train(const Plan& plan, const TrainingSetup& setup) {
  Ending ending;
  fs::create_directories(setup.directory);
  at::manual_seed(setup.process_seed);
  ManualClock clock;
  const auto probe = std::make_shared<Probe>(clock);
  if (setup.order) {
    probe->at(setup.order->stop.hook, setup.order->call, action(setup, ending.stopped));
    if (setup.order->stop.kind == "checkpoint") probe->comes_last();
    if (setup.order->stop.kind == "request_stop") probe->is_the_stopper(setup.order->stop);
  }
  TrainerOptions options = trainer_options_of(plan, setup, clock);
  if (const ConfigValue* named = plan.document.find("loggers")) {
    for (const auto& member : named->as_object()) {
      options.loggers.push_back(
          make_logger(member.key, with_run_directory(member.value, setup.directory), member.key));
    }
  }
  const auto memory = std::make_shared<MemoryLogger>();
  for (const MemoryLogger::Row& row : setup.rows) memory->log_metrics(row.metrics, row.step);
  options.loggers.push_back(memory);

  PlannedModel model(plan);
  PlannedData data(plan);
  ending.first_weights = copies(model);
  std::unique_ptr<Trainer> made;
  bool ended = false;
  try {
    const std::vector<CallbackHandle> callbacks = callbacks_of(plan, setup, probe);
    if (!writes_checkpoints(callbacks)) options.enable_checkpointing = false;
    made = std::make_unique<Trainer>(options, callbacks);
    made->fit(model, data, {.ckpt_path = setup.checkpoint.string()});
    ended = true;
  } catch (const PlannedException&) {
  } catch (const Interrupted&) {
    ending.stopped = true;
  } catch (const std::exception& error) {
    ending.error = error.what();
  }
  probe->at({}, 0, {});
  ending.trace = probe->trace();
  ending.resumed_at = probe->resumed_at();
  ending.rows = memory->rows();
  if (!ended) return ending;
  Trainer& trainer = *made;
  ending.global_step = trainer.global_step();
  ending.ended_by_request =
      std::any_of(trainer.granted_requests().begin(), trainer.granted_requests().end(),
                  [](const Request& request) { return request.kind == RequestKind::stop; });
  ending.epochs = trainer.current_epoch();
  ending.weights = copies(model);
  ending.checkpoint = snapshot(trainer.dump_checkpoint());
  for (const MetricDict::Entry& entry : trainer.callback_metrics()) {
    ending.metrics[entry.name] = entry.value.number();
  }
#define GRAPNEL_HOOK(id, name, EventType, stage, module) ending.calls[#name] = probe->calls(#name);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  return ending;
}

}  // namespace grapnel::random_test
