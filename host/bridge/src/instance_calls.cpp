// Calls of a plugin's functions: the guards around them, and what a failure becomes.
//
// A hook that recurs with every batch costs nanoseconds: after it, what -ffast-math changes is
// compared with what the thread had. One in 256 is looked at more closely and timed, the first one of
// every epoch and all other calls most closely: the state of the process is compared too
// (process_watch.h).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

#include "describe_exception.h"
#include "ext/early_writes.h"
#include "ext/lease_list.h"
#include "ext/live_area.h"
#include "ext/trainer_state.h"
#include "instance.h"
#include "process_watch.h"

namespace grapnel::bridge {
namespace {

constexpr const char* kPostedFunction = "a posted function";
constexpr std::uint32_t kLookEvery = 256;  // recurring calls of a hook, at most
// And the process, where the calls are frequent: a look takes some tens of microseconds.
constexpr auto kLookAtProcessEvery = std::chrono::milliseconds(100);

}  // namespace

constinit thread_local KnownFloatingPoint known_floating_point;

std::string PluginInstance::name() const {
  const PluginSite& site = host_.site();
  return fmt::format("plugin {} {}: callback {}", quote(site.plugin), printable(site.version),
                     quote(site.callback));
}

// ---- Guards

PluginInstance::Look PluginInstance::next_look(const Call& call, Slot& slot) noexcept {
  const bool is_new_epoch = call.batch_idx >= 0 && call.batch_idx < host_.last_batch_idx();
  const bool is_first = slot.calls == 0;
  const bool is_rare = !call.recurs || is_new_epoch || is_first;
  if (!is_rare && slot.until_look > 1) {
    --slot.until_look;
    return Look::quick;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!is_rare && now - looked_at_process_ < kLookAtProcessEvery) return Look::thread;
  looked_at_process_ = now;
  return Look::process;
}

std::int32_t PluginInstance::guard_thread(const Call& call, Look look, Function function) {
  if (links_libtorch_) {
    ForeignCodeGuard guard;
    const std::int32_t status = call_plugin(function);
    if (guard.restore()) report_changes(call, guard.changes());
    return status;
  }
  if (look != Look::quick || !known_floating_point.is_known) read_floating_point(call);
  known_floating_point.fast = FloatingPoint::current_fast();
  const std::int32_t status = call_plugin(function);
  const bool changed = look == Look::quick
                           ? FloatingPoint::current_fast() != known_floating_point.fast
                           : FloatingPoint::current() != known_floating_point.value;
  if (changed) restore_floating_point(call);
  return status;
}

// Before a call. What differs though -ffast-math's part doesn't was changed by an earlier call, which
// was not looked at; the program's own code changes that part too (fesetround).
void PluginInstance::read_floating_point(const Call& call) {
  const FloatingPoint now = FloatingPoint::current();
  const FloatingPoint before = known_floating_point.value.with_fast(known_floating_point.fast);
  if (known_floating_point.is_known && FloatingPoint::current_fast() == known_floating_point.fast &&
      now != before) {
    before.apply();
    const std::string line = fmt::format(
        "{} of the training thread was changed before {}, by this plugin or another one; restored",
        kFloatingPointChange, call.name);
    host_.log_once(LogLevel::warning, line, line);
    return;
  }
  known_floating_point.value = now;
  known_floating_point.is_known = true;
}

std::int32_t PluginInstance::enter(const Call& call, Slot& slot, Function function) {
  const Look look = next_look(call, slot);
  const InstanceHost::CallScope scope(host_, call);
  if (host_.trainer_state_wanted) update_trainer_state(host_);
  if (look == Look::quick) return guard_thread(call, look, function);

  std::optional<ProcessWatch> process;
  if (look == Look::process) process.emplace(host_, call);
  const auto start = std::chrono::steady_clock::now();
  const std::int32_t status = guard_thread(call, look, function);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::uint32_t calls = slot.period - slot.until_look + 1;  // since the last look
  // Each call in between took no longer than both looks: one call that the machine held up stands for
  // itself alone.
  slot.seconds += took.count() + std::min(took.count(), slot.last_look) * (calls - 1);
  slot.calls += calls;
  slot.last_look = took.count();
  if (call.recurs) slot.period = std::min(2 * slot.period, kLookEvery);
  slot.until_look = slot.period;
  if (process) process->undo_changes();
  return status;
}

void PluginInstance::restore_floating_point(const Call& call) {
  guards_whole_thread_ = true;
  known_floating_point.value.with_fast(known_floating_point.fast)
      .apply();  // a change of one part seldom comes alone
  report_changes(call, {std::string(kFloatingPointChange)});
}

void PluginInstance::report_changes(const Call& call, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::string line =
        fmt::format("changed {} of the training thread in {}; restored", change, call.name);
    host_.log_once(LogLevel::warning, line, line);
  }
}

// ---- Hooks

void PluginInstance::fire(const Call& call, const grapnel_Event* event) {
  Slot& slot = slots_[static_cast<std::size_t>(call.hook)];
  std::exception_ptr failure;
  if (host_.posted.waiting() > 0) [[unlikely]]
    failure = run_posted(call);
  // What tells the plugin of the run's end comes all the same.
  const bool is_told = call.hook == Hook::on_exception || call.hook == Hook::on_run_end;
  if (failure != nullptr && !is_told) std::rethrow_exception(failure);
  if (slot.function != nullptr) {
    try {
      throw_failure(call, enter(call, slot, [&] { return slot.function(instance_, event); }));
    } catch (...) {  // only one of the two can be thrown
      if (failure != nullptr) log_text(LogLevel::error, printable(describe_exception(failure)));
      throw;
    }
  }
  throw_if(failure);
}

// Those that wait now; what they post themselves waits for the next hook. After a failure so do the
// others.
std::exception_ptr PluginInstance::run_posted(const Call& hook) {
  Call call = hook;
  call.name = kPostedFunction;
  call.recurs = true;
  for (std::size_t left = host_.posted.waiting(); left > 0; --left) {
    const auto posted = host_.posted.take();
    if (!posted) break;
    const std::int32_t status =
        enter(call, posted_, [&] { return posted->run(instance_, posted->data); });
    if (std::exception_ptr failure = failure_of(call, status)) return failure;
  }
  return nullptr;
}

std::vector<PluginCallback::HookTime> PluginInstance::hook_times() const {
  std::vector<PluginCallback::HookTime> times;
  const auto add = [&](std::string_view function, const Slot& slot) {
    const std::uint64_t since = slot.period - slot.until_look;  // the last look
    const std::uint64_t calls = slot.calls + since;
    if (slot.calls == 0) return;
    times.push_back({function, calls,
                     slot.seconds * static_cast<double>(calls) / static_cast<double>(slot.calls)});
  };
  for (std::size_t i = 0; i < kHookCount; ++i) add(kHookNames[i], slots_[i]);
  add(kPostedFunction, posted_);
  add("its metrics sink", sink_calls_);
  return times;
}

void PluginInstance::tell_of_part(const ExceptionEvent& event) {
  if (event.type == "PluginError" || event.type == "Interrupted") return;
  if (event.message.find("modified by an inplace operation") != std::string::npos) {
    if (const std::string writes = describe_early_writes(host_, event.trainer); !writes.empty()) {
      host_.log(LogLevel::error,
                fmt::format("{} between the forward and the backward pass, which is what autograd "
                            "complains about; write in on_train_batch_start or after the "
                            "optimizer's step",
                            writes));
      return;
    }
  }
  if (const std::string batch = describe_replacements(host_, event.trainer); !batch.empty()) {
    host_.log(LogLevel::error,
              fmt::format("{} on which the run failed; the replacement may be the cause", batch));
  }
}

void PluginInstance::end_leases() noexcept {
  if (host_.leases != nullptr) host_.leases->end_all();
}

void PluginInstance::end_display() noexcept {
  if (host_.live_area != nullptr) host_.live_area->hide();  // the plugin may still read its info
  host_.pins.clear();
}

// ---- Failures

std::exception_ptr PluginInstance::failure_of(const Call& call, std::int32_t status) {
  const std::exception_ptr pending = host_.take_pending();
  const std::string text = host_.take_failure();
  if (status == GRAPNEL_PENDING && pending != nullptr) {
    log_error("a host service that {} called in {} failed: {}", name(), call.name,
              printable(describe_exception(pending)));  // the exception itself names no plugin
    return pending;
  }
  if (pending != nullptr) {
    host_.log(LogLevel::warning, fmt::format("{}: ignored the failure of a host service: {}",
                                             call.name, describe_exception(pending)));
  }
  PluginSite site = host_.site();
  if (call.in_hook) site.hook = call.name;
  const auto error = [&](const std::string& message) {
    if (call.in_hook) return std::make_exception_ptr(PluginError::in_hook(site, message));
    return std::make_exception_ptr(
        PluginError(fmt::format("{} failed in {}: {}", name(), call.name, message), site));
  };
  switch (status) {
    case GRAPNEL_OK:
      if (!text.empty()) {
        host_.log(
            LogLevel::warning,
            fmt::format("{}: reported a failure, but returned OK; ignored: {}", call.name, text));
      }
      return nullptr;
    case GRAPNEL_ERROR:
      return error(text.empty() ? "it gave no reason" : text);
    case kThrew:
      return error(fmt::format("an exception crossed the ABI boundary (plugin bug): {}",
                               printable(thrown_)));
    case GRAPNEL_PENDING:
      return error("it returned GRAPNEL_PENDING, but no host service had failed (plugin bug)");
    default:
      return error(fmt::format("it returned status {}, which {} must not return (plugin bug){}",
                               status, call.in_hook ? "a hook" : "this function",
                               text.empty() ? "" : ": " + text));
  }
}

}  // namespace grapnel::bridge
