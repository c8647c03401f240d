// The services of the host in every hook: the state of the run, logging, requests, the model, the
// optimizers, tensors. Each Event is a Services; init gets a bare one.
//
// Values are fetched on access. A service that the host lacks throws Error; check has_extension()
// first if the plugin works without it. [train-thread]
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/plugin/batch.hpp>
#include <grapnel/plugin/distributed.hpp>
#include <grapnel/plugin/foreach.hpp>
#include <grapnel/plugin/measurements.hpp>
#include <grapnel/plugin/module.hpp>
#include <grapnel/plugin/norms.hpp>
#include <grapnel/plugin/optimizers.hpp>
#include <grapnel/plugin/params.hpp>
#include <grapnel/plugin/schedule.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

enum class Stage : std::int32_t {  ///< what is running now
  none = GRAPNEL_STAGE_NONE,
  train = GRAPNEL_STAGE_TRAIN,
  sanity_check = GRAPNEL_STAGE_SANITY_CHECK,
  validate = GRAPNEL_STAGE_VALIDATE,
  test = GRAPNEL_STAGE_TEST,
  predict = GRAPNEL_STAGE_PREDICT,
};

enum class RunKind : std::int32_t {
  fit = GRAPNEL_RUN_FIT,
  validate = GRAPNEL_RUN_VALIDATE,
  test = GRAPNEL_RUN_TEST,
  predict = GRAPNEL_RUN_PREDICT,
};

/// How to log one metric. Neither on_step nor on_epoch: the default of the running hook: per step
/// in training batch hooks, per epoch in all others.
struct LogOptions {
  bool prog_bar = false;  ///< show it in the progress bar
  bool on_step = false;   ///< this value, at this step
  bool on_epoch = false;  ///< the epoch's mean, at its end
  bool logger = true;     ///< send it to the loggers
  std::int64_t batch_size =
      0;  ///< weight in the epoch's mean; 0: what the trainer finds in the batch
};

/// What this instance is to its host. The texts are valid as long as the instance.
struct PluginInfo {
  std::string_view id;
  std::string_view version;
  std::string_view callback;
  std::string_view label;             ///< from the user's settings; may be empty
  std::string_view origin_directory;  ///< of the user's library; empty: not known
  std::string_view libtorch_version;  ///< the host's
};

/// A logged metric and its global step.
struct MetricValue {
  double value;
  std::int64_t global_step;
};

/// Logs from any thread of the plugin until the instance is destroyed; a copy of
/// Services::logger().
class Logger {
 public:
  Logger(const grapnel_host* host, const grapnel_log* table) noexcept
      : host_(host), table_(table) {}

  void debug(std::string_view text) const noexcept { write(GRAPNEL_LOG_DEBUG, text); }
  void info(std::string_view text) const noexcept { write(GRAPNEL_LOG_INFO, text); }
  void warning(std::string_view text) const noexcept { write(GRAPNEL_LOG_WARNING, text); }
  void error(std::string_view text) const noexcept { write(GRAPNEL_LOG_ERROR, text); }
  /// Only the first time that this instance uses the key.
  void warning_once(std::string_view key, std::string_view text) const noexcept {
    if (table_ != nullptr) {
      table_->once(host_, GRAPNEL_LOG_WARNING, detail::to_abi(key), detail::to_abi(text));
    }
  }

 private:
  // A host without a log is no failure.
  void write(std::int32_t level, std::string_view text) const noexcept {
    if (table_ != nullptr) table_->write(host_, level, detail::to_abi(text));
  }

  const grapnel_host* host_;
  const grapnel_log* table_;
};

class TrainingThread;

/// Where lines are drawn.
struct Terminal {
  bool is_terminal;      ///< else lines go to a file or a pipe
  std::int32_t columns;  ///< what a line may take
  bool utf8;
  std::int64_t colors;  ///< 0, 8, 256 or 16777216
};

/// A line of the live area; style: "bold", "dim", "red", "#6206E0", ... (ext/terminal.h).
struct TerminalLine {
  std::string text;
  std::string style = {};
};

/// A checkpoint, and the value of its writer's monitor: NaN for one without a monitor.
struct BestCheckpoint {
  std::string path;
  double value;
};

class Services {
 public:
  explicit Services(detail::Context& context) noexcept : context_(&context) {}

  // ---- The host
  std::string_view host_version() const { return detail::from_abi(context_->host()->version); }
  bool has_extension(std::string_view id) const {
    return detail::find_table(context_->host(), id) != nullptr;
  }
  PluginInfo plugin_info() const {
    const grapnel_plugin_info* info = nullptr;
    detail::check(context_->call<&grapnel_plugin_services::info>(&info), "the plugin's identity");
    return {detail::from_abi(info->id),
            detail::from_abi(info->version),
            detail::from_abi(info->callback),
            detail::from_abi(info->label),
            detail::from_abi(info->origin_directory),
            detail::from_abi(info->libtorch_version)};
  }
  /// A directory of the plugin's own, only the user's, that outlives runs (ext/plugin.h).
  std::string_view data_directory() const {
    grapnel_string path{};
    detail::check(context_->call<&grapnel_plugin_services::data_directory>(&path),
                  "the plugin's data directory");
    return detail::from_abi(path);
  }
  Logger logger() const { return {context_->host(), context_->find<grapnel_log>()}; }
  void log_debug(std::string_view text) const { logger().debug(text); }
  void log_info(std::string_view text) const { logger().info(text); }
  void log_warning(std::string_view text) const { logger().warning(text); }
  void log_error(std::string_view text) const { logger().error(text); }

  // ---- State of the run
  RunKind run_kind() const { return static_cast<RunKind>(trainer<&grapnel_trainer_state::run>()); }
  Stage stage() const { return static_cast<Stage>(trainer<&grapnel_trainer_state::stage>()); }
  bool sanity_checking() const { return trainer<&grapnel_trainer_state::sanity_checking>() != 0; }
  std::int64_t global_step() const {
    return trainer<&grapnel_trainer_state::global_step>();
  }  ///< optimizer steps finished
  std::int64_t current_epoch() const {
    return trainer<&grapnel_trainer_state::current_epoch>();
  }  ///< from 0
  std::int64_t batch_idx() const {
    return trainer<&grapnel_trainer_state::batch_idx>();
  }  ///< -1 before the first
  std::optional<std::int64_t> max_epochs() const {
    return limit(trainer<&grapnel_trainer_state::max_epochs>());
  }
  std::optional<std::int64_t> max_steps() const {
    return limit(trainer<&grapnel_trainer_state::max_steps>());
  }
  std::optional<double> max_time() const {  ///< seconds of training, those before a resume included
    return limit(trainer<&grapnel_trainer_state::max_time>());
  }
  std::optional<std::int64_t> num_training_batches() const {  ///< per epoch, where known
    return limit(trainer<&grapnel_trainer_state::num_training_batches>());
  }
  std::int64_t accumulate_grad_batches() const {
    return trainer<&grapnel_trainer_state::accumulate_grad_batches>();
  }
  bool is_last_batch() const {
    return trainer<&grapnel_trainer_state::is_last_batch>() != 0;
  }  ///< of the training epoch
  bool is_logging_step() const { return trainer<&grapnel_trainer_state::is_logging_step>() != 0; }
  bool stop_requested() const { return trainer<&grapnel_trainer_state::stop_requested>() != 0; }
  std::string_view run_directory() const {
    return detail::from_abi(trainer<&grapnel_trainer_state::run_directory>());
  }

  // ---- Metrics
  void log(std::string_view name, double value, const LogOptions& options = {}) const {
    const grapnel_metric_options abi = to_abi(options);
    detail::check(context_->call<&grapnel_metrics::log_f64>(detail::to_abi(name), value, &abi),
                  "logging a metric");
  }
  /// value: a floating scalar; stays on its device until the number is needed.
  void log(std::string_view name, const Tensor& value, const LogOptions& options = {}) const {
    const grapnel_metric_options abi = to_abi(options);
    value.context();
    detail::check(
        context_->call<&grapnel_metrics::log_tensor>(detail::to_abi(name), value.handle(), &abi),
        "logging a metric");
  }
  /// The latest logged value; empty before the first.
  std::optional<MetricValue> metric(std::string_view name) const {
    MetricValue metric{};
    const auto status = context_->call<&grapnel_metrics::get>(detail::to_abi(name), &metric.value,
                                                              &metric.global_step);
    if (!detail::check_found(status, "a metric")) return {};
    return metric;
  }
  std::vector<std::string> metric_names() const {
    std::uint64_t count = 0;
    detail::check(context_->call<&grapnel_metrics::count>(&count), "the metrics");
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) {
      grapnel_string text{};
      detail::check(context_->call<&grapnel_metrics::name>(i, &text), "the name of a metric");
      names.emplace_back(detail::from_abi(text));
    }
    return names;
  }

  // ---- Requests: decided after the hook has returned, logged with reason and plugin
  /// Ends the fit after this batch; min_epochs and min_steps may defer it. No effect in other runs.
  void request_stop(std::string_view reason) const { request(GRAPNEL_REQUEST_STOP, reason); }
  /// Ends the epoch after this batch.
  void request_end_epoch(std::string_view reason) const {
    request(GRAPNEL_REQUEST_END_EPOCH, reason);
  }
  /// Validates after this batch.
  void request_evaluate(std::string_view reason) const {
    request(GRAPNEL_REQUEST_EVALUATE, reason);
  }
  /// Writes a checkpoint after this batch.
  void request_save(std::string_view reason) const { request(GRAPNEL_REQUEST_SAVE, reason); }

  // ---- The model
  ParameterRange parameters() const { return {*context_, GRAPNEL_MODULE_PARAMETERS}; }
  ParameterRange buffers() const { return {*context_, GRAPNEL_MODULE_BUFFERS}; }
  /// Grows whenever parameters, buffers or masks appear or vanish, or an entry changes its name,
  /// shape or type.
  std::uint64_t module_generation() const {
    std::uint64_t generation = 0;
    detail::check(context_->call<&grapnel_module::generation>(&generation),
                  "the model's generation");
    return generation;
  }
  /// Replaces tensors of the model by others of the same shape and type until the Lease ends.
  /// parameters, buffers: their indices; tensors: for the parameters, then for the buffers. reason:
  /// for people. Of several leases of one entry the last taken counts, and they may end in any
  /// order.
  Lease lease_weights(const std::vector<std::uint64_t>& parameters,
                      const std::vector<std::uint64_t>& buffers, const TensorList& tensors,
                      std::string_view reason) const {
    return Lease::begin(*context_, parameters, buffers, tensors, reason);
  }
  /// The parameters of these indices get no gradient until the Lease ends.
  Lease freeze(const std::vector<std::uint64_t>& parameters, std::string_view reason) const {
    return Lease::freeze(*context_, parameters, reason);
  }
  /// Of one forward and backward pass over a batch; empty if the model does not report them.
  std::optional<double> flops_per_batch() const {
    double flops = 0;
    const auto status = context_->call<&grapnel_module::flops_per_batch>(&flops);
    if (!detail::check_found(status, "the model's FLOPs")) return {};
    return flops;
  }

#if GRAPNEL_ABI_TARGET >= 5
  /// Runs the model without gradients and hooks; what it changes is undone (ext/module.h).
  Tensor forward(const Tensor& input, ForwardMode mode = ForwardMode::eval) const {
    input.context();
    grapnel_tensor* handle = input.handle();
    grapnel_tensor* owned = nullptr;
    detail::check(
        context_->call<&grapnel_module::forward>(static_cast<std::int32_t>(mode), &handle,
                                                 std::uint64_t{1}, &owned, std::uint64_t{1}),
        "running the model");
    return Tensor::adopt(*context_, owned);
  }
#endif

  // ---- Optimizers
  std::vector<Optimizer> optimizers() const {
    std::uint64_t count = 0;
    detail::check(context_->call<&grapnel_optimizers::count>(&count), "the optimizers");
    std::vector<Optimizer> optimizers;
    for (std::size_t i = 0; i < count; ++i) optimizers.emplace_back(*context_, i);
    return optimizers;
  }
  /// Gradients have their true scale, without loss scaling. With loss scaling this is true only in
  /// on_before_optimizer_step, unless gradients overflowed.
  bool gradients_are_unscaled() const {
    std::int32_t unscaled = 0;
    detail::check(context_->call<&grapnel_optimizers::gradients_are_unscaled>(&unscaled),
                  "the scale of the gradients");
    return unscaled != 0;
  }

  /// Factors on learning rates.
  Schedule schedule() const {
    return Schedule(*context_);
  }

  // ---- The process
  TrainingDevice device() const {
    return TrainingDevice(*context_);
  }
  Timing timing() const {
    return Timing(*context_);
  }
  Distributed distributed() const {
    return Distributed(*context_);
  }
  /// For threads of the plugin; see thread.hpp.
  TrainingThread training_thread() const;
  // ---- Checkpoints (ext/checkpoint.h)
  /// The newest complete file of the run; empty before the first.
  std::optional<std::string> last_checkpoint() const {
    grapnel_string path{};
    if (!detail::check_found(context_->call<&grapnel_checkpoint::last>(&path),
                             "the newest checkpoint"))
      return {};
    return std::string(detail::from_abi(path));
  }
  std::optional<BestCheckpoint> best_checkpoint() const {
    grapnel_string path{};
    double value = 0;
    if (!detail::check_found(context_->call<&grapnel_checkpoint::best>(&path, &value),
                             "the best checkpoint"))
      return {};
    return BestCheckpoint{std::string(detail::from_abi(path)), value};
  }
  /// The file that is being made.
  std::optional<std::string> checkpoint_in_the_making() const {
    grapnel_string path{};
    if (!detail::check_found(context_->call<&grapnel_checkpoint::writing>(&path),
                             "the checkpoint that is being written"))
      return {};
    return std::string(detail::from_abi(path));
  }
  /// The file is not removed until unpin_checkpoint, or the end of the instance.
  void pin_checkpoint(std::string_view path, std::string_view reason) const {
    detail::check(
        context_->call<&grapnel_checkpoint::pin>(detail::to_abi(path), detail::to_abi(reason)),
        "pinning a checkpoint");
  }
  /// False when this instance has not pinned it.
  bool unpin_checkpoint(std::string_view path) const {
    return detail::check_found(context_->call<&grapnel_checkpoint::unpin>(detail::to_abi(path)),
                               "unpinning a checkpoint");
  }

  // ---- The terminal (ext/terminal.h)
  /// Empty where the user wants no progress.
  std::optional<Terminal> terminal() const {
    const grapnel_terminal_info* info = nullptr;
    if (!detail::check_found(context_->call<&grapnel_terminal::info>(&info), "the terminal"))
      return {};
    return Terminal{info->is_terminal != 0, info->columns, info->utf8 != 0, info->colors};
  }
  /// A line above the live areas and the bars. False where the user wants no progress.
  bool print(std::string_view line) const {
    return detail::check_found(context_->call<&grapnel_terminal::print>(detail::to_abi(line)),
                               "printing a line");
  }
  /// Replaces this instance's live area; no lines remove it. False where the user wants no progress.
  bool draw(const std::vector<TerminalLine>& lines) const {
    std::vector<grapnel_terminal_line> made;
    made.reserve(lines.size());
    std::vector<const grapnel_terminal_line*> pointers;
    for (const TerminalLine& line : lines) {
      grapnel_terminal_line& abi = made.emplace_back();
      abi.struct_size = sizeof abi;
      abi.text = detail::to_abi(line.text);
      abi.style = detail::to_abi(line.style);
      pointers.push_back(&abi);
    }
    return detail::check_found(
        context_->call<&grapnel_terminal::draw>(pointers.data(), pointers.size()),
        "drawing a live area");
  }

  // ---- Tensors
  /// A new CPU tensor of f64 with these elements, row-major; sizes empty: one dimension.
  Tensor tensor(const std::vector<double>& values, std::vector<std::int64_t> sizes = {}) const {
    if (sizes.empty()) sizes.push_back(static_cast<std::int64_t>(values.size()));
    grapnel_tensor* owned = nullptr;
    detail::check(context_->call<&grapnel_tensors::from_data>(
                      GRAPNEL_DTYPE_F64, sizes.data(), sizes.size(), values.data(),
                      values.size() * sizeof(double), &owned),
                  "making a tensor");
    return Tensor::adopt(*context_, owned);
  }
  /// Any operator by name; see operators.hpp.
  template <class Result = Tensor, class... Args>
  Result call(std::string_view name, std::string_view overload, const Args&... args) const {
    return detail::call<Result>(*context_, name, overload, args...);
  }
  /// The same with arguments by name, in any order, which also holds in a LibTorch that has inserted
  /// one: call_named("aten::sum", "dim_IntList", arg("self", x), arg("dim", dims)).
  template <class Result = Tensor, class... T>
  Result call_named(std::string_view name, std::string_view overload,
                    const detail::Named<T>&... args) const {
    return detail::call_named<Result>(*context_, name, overload, args...);
  }
  /// The operator's schema as LibTorch writes it, arguments, types and defaults:
  /// "aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)".
  std::string schema(std::string_view name, std::string_view overload) const {
    const grapnel_operator_info* info = nullptr;
    detail::check(
        context_->call<&grapnel_aten::describe>(context_->find_operator(name, overload), &info),
        "the schema of " + std::string(name));
    return std::string(detail::from_abi(info->schema));
  }

 protected:
  void request(std::int32_t kind, std::string_view reason) const {
    const std::int32_t status =
        context_->call<&grapnel_request::request>(kind, detail::to_abi(reason));
    const bool elsewhere =
        status == GRAPNEL_NOT_NOW && trainer<&grapnel_trainer_state::run>() > GRAPNEL_RUN_FIT;
    if (elsewhere) {
      throw Error("this request is only for fit, and this run is not one");
    }
    detail::check(status, "this request");
  }
  detail::Context& context() const noexcept {
    return *context_;
  }

 private:
  template <auto Field>
  const detail::ValueOf<Field>& trainer() const {
    return context_->trainer<Field>();
  }
  template <class Number>
  static std::optional<Number> limit(Number value) {
    if (value < 0) return {};
    return value;
  }
  static grapnel_metric_options to_abi(const LogOptions& options) {
    grapnel_metric_options abi{};
    abi.struct_size = sizeof abi;
    abi.flags = (options.on_step ? GRAPNEL_METRIC_ON_STEP : 0) |
                (options.on_epoch ? GRAPNEL_METRIC_ON_EPOCH : 0) |
                (options.prog_bar ? GRAPNEL_METRIC_PROG_BAR : 0) |
                (options.logger ? 0 : GRAPNEL_METRIC_NO_LOGGER);
    abi.batch_size = options.batch_size;
    return abi;
  }

  detail::Context* context_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
