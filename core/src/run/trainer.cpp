#include "grapnel/trainer.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/logger_source.h"
#include "grapnel/version.h"
#include "run/learning_rates.h"
#include "run/loops.h"
#include "run/run.h"
#include "run/standard_callbacks.h"

namespace grapnel {

std::string_view version_string() {
  return GRAPNEL_VERSION;
}

namespace {

void add_loggers_of(const std::vector<CallbackHandle>& callbacks, Trainer& trainer,
                    TrainerOptions& options) {
  if (options.fast_dev_run != 0 || options.barebones) return;
  for (const CallbackHandle& handle : callbacks) {
    auto* source = dynamic_cast<LoggerSource*>(handle.callback.get());
    if (source == nullptr) continue;
    if (auto logger = source->make_logger(trainer)) options.loggers.push_back(std::move(logger));
  }
}

}  // namespace

Trainer::Trainer(TrainerOptions options, std::vector<CallbackHandle> callbacks) {
  validate_options(options);
  add_default_callbacks(options, callbacks);
  add_loggers_of(callbacks, *this, options);
  run_ = std::make_unique<Run>(*this, std::move(options), std::move(callbacks));
  InitEvent event{*this};
  run_->hooks.on_init_start(event);
  run_->hooks.on_init_end(event);
}

Trainer::~Trainer() {
  if (run_->module != nullptr) run_->module->trainers_.remove(*this);
  if (run_->data.module != nullptr) run_->data.module->trainers_.remove(*this);
}

void Trainer::fit(ModuleRef module, Data data, const RunOptions& options) {
  run_->execute(RunKind::fit, module, std::move(data), options, true);
}

std::vector<MetricDict> Trainer::validate(ModuleRef module, Data data, const RunOptions& options) {
  run_->execute(RunKind::validate, module, std::move(data), options, true);
  return run_->loops->validate.take_results();
}

std::vector<MetricDict> Trainer::test(ModuleRef module, Data data, const RunOptions& options) {
  run_->execute(RunKind::test, module, std::move(data), options, true);
  return run_->loops->test.take_results();
}

std::vector<Predictions> Trainer::predict(ModuleRef module, Data data, const RunOptions& options) {
  run_->execute(RunKind::predict, module, std::move(data), options, true);
  return run_->loops->predict.take_results();
}

std::vector<MetricDict> Trainer::validate(Data data, RunOptions options) {
  run_->execute(RunKind::validate, {module(), run_->mask}, std::move(data), options, false);
  return run_->loops->validate.take_results();
}

std::vector<MetricDict> Trainer::test(Data data, RunOptions options) {
  run_->execute(RunKind::test, {module(), run_->mask}, std::move(data), options, false);
  return run_->loops->test.take_results();
}

std::vector<Predictions> Trainer::predict(Data data, RunOptions options) {
  run_->execute(RunKind::predict, {module(), run_->mask}, std::move(data), options, false);
  return run_->loops->predict.take_results();
}

void Trainer::save_checkpoint(const std::filesystem::path& path, bool weights_only) {
  run_->checkpointing.save(path, weights_only);
}

void Trainer::start_checkpoint(const std::filesystem::path& path, bool weights_only) {
  run_->checkpointing.start(path, weights_only);
}

void Trainer::after_checkpoint(std::function<void()> done, std::function<void()> failed) {
  run_->checkpointing.after(std::move(done), std::move(failed));
}

void Trainer::finish_checkpoint() {
  run_->checkpointing.finish();
}

std::filesystem::path Trainer::checkpoint_in_the_making() const {
  return run_->checkpointing.in_the_making();
}

StateDict Trainer::dump_checkpoint(bool weights_only) {
  return run_->checkpointing.dump(weights_only);
}

bool Trainer::resumable() const {
  return run_->checkpointing.resumable();
}

const RunState& Trainer::state() const {
  return run_->state;
}
int64_t Trainer::global_step() const {
  return run_->global_step();
}
int64_t Trainer::current_epoch() const {
  return run_->current_epoch();
}
bool Trainer::is_logging_step() const {
  return run_->metrics.is_logging_step();
}
bool Trainer::is_accumulating() const {
  return run_->loops->fit.should_accumulate();
}

namespace {

std::vector<int64_t> in_sanity_check(std::vector<int64_t> batches, int64_t limit) {
  for (int64_t& n : batches) {
    if (limit >= 0) n = n == kUnlimited ? limit : std::min(n, limit);
  }
  return batches;
}

}  // namespace

std::vector<int64_t> Trainer::num_val_batches() const {
  const EvaluationLoop& loop =
      state().kind == RunKind::validate ? run_->loops->validate : run_->loops->validation;
  return loop.loaders().limits;
}
std::vector<int64_t> Trainer::num_sanity_val_batches() const {
  return in_sanity_check(run_->loops->validation.loaders().limits, run_->limits.sanity_steps);
}
std::vector<int64_t> Trainer::num_test_batches() const {
  return run_->loops->test.loaders().limits;
}
std::vector<int64_t> Trainer::num_predict_batches() const {
  return run_->loops->predict.loaders().limits;
}

bool Trainer::validation_enabled() const {
  const bool has_data = run_->data.loaders
                            ? !run_->data.eval.empty()
                            : run_->data_function_defined(DataMethod::val_dataloaders);
  return has_data && run_->has(ModuleMethod::validation_step) && !run_->limits.val.is_zero();
}

const MetricDict& Trainer::callback_metrics() const {
  return run_->metrics.views().callback;
}
const MetricDict& Trainer::logged_metrics() const {
  return run_->metrics.views().log;
}
const MetricDict& Trainer::progress_bar_metrics() const {
  return run_->metrics.views().progress_bar;
}

void Trainer::set_callback_metric(std::string_view name, const LogValue& value) {
  const double* number = std::get_if<double>(&value.value);
  DeviceScalar scalar =
      number != nullptr ? DeviceScalar(*number) : DeviceScalar(std::get<at::Tensor>(value.value));
  run_->metrics.set_callback_metric(name, std::move(scalar), global_step());
}

void Trainer::log_metrics(const Logger::Metrics& metrics, std::optional<int64_t> step) {
  MetricDict values;
  for (const auto& [name, value] : metrics) values.set(name, DeviceScalar(value), global_step());
  run_->metrics.send(values, step);
}

void Trainer::request(RequestKind kind, std::string reason) {
  run_->requests.ask(kind, std::move(reason), global_step());
}
const std::vector<Request>& Trainer::granted_requests() const {
  return run_->requests.granted();
}
void Trainer::interrupt(int signal) noexcept {
  signal_.store(signal);
}
void Trainer::set_should_stop(bool value) {
  run_->requests.set_should_stop(value, global_step());
}

Lease Trainer::lease(std::string reason, std::function<void()> undo) {
  return run_->leases.take(std::move(reason), std::move(undo));
}

namespace {

using WeightChanges = std::vector<WeightLeases::Change>;

// Throws ConfigError unless all can be put in the place of the module's entries. Brings them to
// where these are.
WeightChanges checked_changes(StateView& view,
                              const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                              const std::string& reason, WeightLeases::Kind kind) {
  const bool mask = kind == WeightLeases::Kind::mask;
  WeightChanges changes;
  for (const auto& [name, tensor] : tensors) {
    const StateEntry* entry = view.find(name);
    const auto refuse = [&, &name = name](const std::string& what) {
      throw ConfigError({}, fmt::format("cannot lease '{}' ({}): {}", name, reason, what));
    };
    if (entry == nullptr) refuse("the module has no parameter or buffer of that name");
    const at::Tensor& live = entry->tensor;
    if (!tensor.defined() || tensor.sizes() != live.sizes() ||
        (!mask && tensor.dtype() != live.dtype())) {
      refuse("the tensor has another shape or type");
    }
    changes.push_back({live, mask ? tensor.detach().to(live.options().requires_grad(false))
                                  : tensor.to(live.device())});
  }
  return changes;
}

// The way back is made before the first change.
Lease changed_weights(Run& run, WeightLeases::Kind kind, const WeightChanges& changes,
                      std::string reason) {
  const WeightLeases::Id id = run.weight_leases.reserve();
  Lease lease = run.leases.take(std::move(reason), [&run, id] { run.weight_leases.end(id); });
  run.weight_leases.take(id, kind, changes);
  return lease;
}

}  // namespace

Lease Trainer::lease_weights(std::vector<std::pair<std::string, at::Tensor>> tensors,
                             std::string reason) {
  constexpr auto kind = WeightLeases::Kind::replacement;
  const auto changes = checked_changes(module().state_view(), tensors, reason, kind);
  return changed_weights(*run_, kind, changes, std::move(reason));
}

Lease Trainer::mask_weights(std::vector<std::pair<std::string, at::Tensor>> masks,
                            std::string reason) {
  constexpr auto kind = WeightLeases::Kind::mask;
  const auto changes = checked_changes(module().state_view(), masks, reason, kind);
  return changed_weights(*run_, kind, changes, std::move(reason));
}

at::Tensor Trainer::training_tensor(std::string_view name) const {
  const StateEntry* entry = module().state_view().find(name);
  return entry == nullptr ? at::Tensor() : run_->weight_leases.training(entry->tensor);
}

const TrainerOptions& Trainer::options() const {
  return run_->options;
}
const std::vector<CallbackHandle>& Trainer::callbacks() const {
  return run_->callbacks;
}

std::filesystem::path Trainer::ckpt_path() const {
  return run_->checkpointing.path();
}

Module& Trainer::module() const {
  if (run_->module == nullptr) {
    throw ConfigError(
        {}, "the trainer has no module yet: call fit, validate, test or predict with one");
  }
  return *run_->module;
}

bool Trainer::has_module() const {
  return run_->module != nullptr;
}
const ModuleMask& Trainer::module_mask() const {
  return run_->mask;
}
DataModule* Trainer::data_module() const {
  return run_->data.module;
}
const std::vector<std::shared_ptr<Optimizer>>& Trainer::optimizers() const {
  return run_->optimizers;
}
const std::vector<SchedulerConfig>& Trainer::schedulers() const {
  return run_->schedulers;
}
const std::vector<std::shared_ptr<Logger>>& Trainer::loggers() const {
  return run_->options.loggers;
}
const Clock& Trainer::clock() const {
  return *run_->clock;
}

std::filesystem::path Trainer::default_root_dir() const {
  const auto& directory = run_->options.default_root_dir;
  return directory.empty() ? std::filesystem::current_path() : std::filesystem::absolute(directory);
}

std::filesystem::path Trainer::log_dir() const {
  if (loggers().empty() || loggers().front()->save_dir().empty()) return default_root_dir();
  const Logger& first = *loggers().front();
  return std::filesystem::absolute(first.save_dir()) / first.name() / first.version();
}

const at::Device& Trainer::device() const {
  return run_->device;
}
Dispatcher& Trainer::dispatcher() const {
  return run_->hooks;
}

const GradScaler* Trainer::grad_scaler() const {
  return run_->scaler.get();
}
Profile Trainer::profile() const {
  return run_->profile.profile();
}

void Trainer::measure_phases() {
  if (run_->executing && run_->fitting()) run_->phases.measure();
}

std::optional<PhaseTimes> Trainer::phase_times() const {
  std::optional<PhaseTimes> times = run_->phases.times();
  if (!times) return times;
  for (const ProfileRow& row : profile().rows) {
    if (row.who != "module" && row.who != "data") times->hook_seconds += row.own_seconds;
  }
  return times;
}

double Trainer::learning_rate(size_t optimizer_idx, size_t group) const {
  const auto& all = optimizers();
  if (optimizer_idx >= all.size() || group >= all[optimizer_idx]->groups().size()) {
    throw ConfigError::of("", "there is no group {} of an optimizer {}", group, optimizer_idx);
  }
  return grapnel::learning_rate(*run_, *all[optimizer_idx], optimizer_idx, group);
}

void Trainer::set_accumulate_grad_batches(int64_t n) {
  if (n < 1) throw ConfigError({}, fmt::format("accumulate_grad_batches={} must be at least 1", n));
  run_->state.accumulate_grad_batches = n;
}

void Trainer::set_max_epochs(int64_t n) {
  if (n < -1) throw ConfigError({}, fmt::format("max_epochs={} must be -1 (no limit) or more", n));
  run_->set_max_epochs(n);
}

void Trainer::set_max_steps(int64_t n) {
  if (n < -1) throw ConfigError({}, fmt::format("max_steps={} must be -1 (no limit) or more", n));
  run_->state.max_steps = n;
}

void Trainer::set_skip_backward(bool value) {
  run_->loops->fit.set_skip_backward(value);
}

void Trainer::set_schedulers(std::vector<SchedulerConfig> schedulers) {
  for (const SchedulerConfig& config : schedulers) {
    if (config.scheduler == nullptr)
      throw ConfigError({}, "set_schedulers was given a null scheduler");
  }
  run_->schedulers = std::move(schedulers);
}

}  // namespace grapnel
