// The arguments of hooks. One type per Event of hooks.def: Services with additional fields, valid
// until the hook returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <grapnel/plugin/autograd.hpp>
#include <grapnel/plugin/services.hpp>
#include <grapnel/plugin/thread.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Hooks without further arguments.
class Event : public Services {
 public:
  using Abi = grapnel_Event;
  Event(detail::Context& context, const grapnel_Event& raw) noexcept
      : Services(context), hook_(raw.hook) {}
  std::uint32_t hook() const { return hook_; }  ///< GRAPNEL_HOOK_...

 private:
  std::uint32_t hook_;
};

namespace detail {

/// An event that wraps its struct of the C ABI.
template <class Raw>
class EventOf : public Event {
 public:
  using Abi = Raw;
  EventOf(Context& context, const Raw& raw) noexcept
      : Event(context, reinterpret_cast<const grapnel_Event&>(raw)), raw_(&raw) {}

 protected:
  template <auto Field>
  const ValueOf<Field>& get() const {
    return field<Field>(*raw_, "this host's event");
  }

 private:
  const Raw* raw_;
};

}  // namespace detail

/// While a Trainer is constructed: there is no run yet.
class InitEvent : public detail::EventOf<grapnel_InitEvent> {
  using EventOf::EventOf;
};

/// setup and teardown.
class StageEvent : public detail::EventOf<grapnel_StageEvent> {
 public:
  using EventOf::EventOf;
  RunKind run_kind() const { return static_cast<RunKind>(get<&Abi::run>()); }
};

class TrainBatchStart : public detail::EventOf<grapnel_TrainBatchStart> {
 public:
  using EventOf::EventOf;
  Batch batch() const { return {context(), get<&Abi::batch>()}; }
  std::int64_t batch_idx() const { return get<&Abi::batch_idx>(); }  ///< within the epoch, from 0
  /// No step on this batch.
  void request_skip_batch(std::string_view reason) const {
    request(GRAPNEL_REQUEST_SKIP_BATCH, reason);
  }
};

class TrainBatchEnd : public detail::EventOf<grapnel_TrainBatchEnd> {
 public:
  using EventOf::EventOf;
  Batch batch() const { return {context(), get<&Abi::batch>()}; }
  std::int64_t batch_idx() const { return get<&Abi::batch_idx>(); }  ///< within the epoch, from 0
  Outputs outputs() const { return {context(), get<&Abi::outputs>()}; }
  /// The loss of training_step, divided by accumulate_grad_batches; may be NaN or infinite. Throws
  /// Error when the step returned none.
  double loss() const {
    const std::optional<double> value = loss_if_any();
    if (!value) throw Error("training_step returned no loss");
    return *value;
  }
  std::optional<double> loss_if_any() const { return outputs().loss(); }
};

class EvalBatchStart : public detail::EventOf<grapnel_EvalBatchStart> {
 public:
  using EventOf::EventOf;
  Batch batch() const { return {context(), get<&Abi::batch>()}; }
  std::int64_t batch_idx() const {
    return get<&Abi::batch_idx>();
  }  ///< within its data loader, from 0
  std::int64_t dataloader_idx() const { return get<&Abi::dataloader_idx>(); }
};

class EvalBatchEnd : public detail::EventOf<grapnel_EvalBatchEnd> {
 public:
  using EventOf::EventOf;
  Batch batch() const { return {context(), get<&Abi::batch>()}; }
  std::int64_t batch_idx() const {
    return get<&Abi::batch_idx>();
  }  ///< within its data loader, from 0
  std::int64_t dataloader_idx() const { return get<&Abi::dataloader_idx>(); }
  Outputs outputs() const { return {context(), get<&Abi::outputs>()}; }
  std::optional<double> loss_if_any() const { return outputs().loss(); }
};

class OptimizerEvent : public detail::EventOf<grapnel_OptimizerEvent> {
 public:
  using EventOf::EventOf;
  std::int64_t optimizer_idx() const { return get<&Abi::optimizer_idx>(); }
  Optimizer optimizer() const {
    return {context(), static_cast<std::size_t>(get<&Abi::optimizer_idx>())};
  }
  /// In on_before_optimizer_step: no update of the weights.
  void request_skip_step(std::string_view reason) const {
    request(GRAPNEL_REQUEST_SKIP_STEP, reason);
  }
};

class BackwardEvent : public detail::EventOf<grapnel_BackwardEvent> {
 public:
  using EventOf::EventOf;
  Tensor loss() const { return Tensor::retain(context(), get<&Abi::loss>()); }  ///< scalar
  /// Operators record gradients while the result lives; see autograd.hpp.
  Recording record() const { return Recording(context()); }
  /// The loss as training_step returned it, neither divided nor scaled, with its graph.
  Tensor step_loss() const { return detail::step_loss(context()); }
  /// Adds a recorded scalar to the loss. Throws HostFailure, naming it, when it isn't finite.
  void add_term(std::string_view name, const Tensor& term) const {
    detail::add_term(context(), name, term);
  }
};

class ExceptionEvent : public detail::EventOf<grapnel_ExceptionEvent> {
 public:
  using EventOf::EventOf;
  std::string_view type() const {
    return detail::from_abi(get<&Abi::type>());
  }  ///< "PluginError", ...
  std::string_view message() const { return detail::from_abi(get<&Abi::message>()); }
};

/// While a checkpoint is made. An instance saves its own state in save_state.
class SaveCheckpoint : public detail::EventOf<grapnel_SaveCheckpoint> {
  using EventOf::EventOf;
};

class LoadCheckpoint : public detail::EventOf<grapnel_LoadCheckpoint> {
  using EventOf::EventOf;
};

class CheckpointWritten : public detail::EventOf<grapnel_CheckpointWritten> {
 public:
  using EventOf::EventOf;
  std::string_view path() const { return detail::from_abi(get<&Abi::path>()); }
};

class SignalEvent : public detail::EventOf<grapnel_SignalEvent> {
 public:
  using EventOf::EventOf;
  int signal() const {
    return get<&Abi::signal>();
  }  ///< the system's number: 2 for SIGINT, 15 for SIGTERM
};

enum class Outcome : std::int32_t {  ///< how a run ended
  finished = GRAPNEL_OUTCOME_FINISHED,
  stopped = GRAPNEL_OUTCOME_STOPPED,
  interrupted = GRAPNEL_OUTCOME_INTERRUPTED,
  failed = GRAPNEL_OUTCOME_FAILED,
};

class RunEnd : public detail::EventOf<grapnel_RunEnd> {
 public:
  using EventOf::EventOf;
  Outcome outcome() const { return static_cast<Outcome>(get<&Abi::outcome>()); }
  std::string_view reason() const {
    return detail::from_abi(get<&Abi::reason>());
  }  ///< empty when finished
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
