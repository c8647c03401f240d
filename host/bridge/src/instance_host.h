// The host of one plugin instance: the state behind struct grapnel_host, and the rules of all
// services.
//
// A service (a function of an extension) is noexcept. An exception in it is stored here and
// returned as GRAPNEL_PENDING; a broken contract is logged once, naming the plugin, and returned as
// GRAPNEL_INVALID_ARGUMENT; what a newer header may define is GRAPNEL_UNSUPPORTED; on a thread of
// the plugin it returns GRAPNEL_WRONG_THREAD, outside of a call or after destroy GRAPNEL_NOT_NOW.
// Write one as `return service(host, "tensors.read", [&](InstanceHost& self) { ... });`, and an
// [any-thread] one with any_thread_service().
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/parameters.h>
#include <grapnel/bridge/running_plugin.h>
#include <grapnel/checkpoint_pin.h>
#include <grapnel/events.h>
#include <grapnel/ext/optimizers.h>
#include <grapnel/ext/trainer.h>
#include <grapnel/hook_mask.h>
#include <grapnel/log_options.h>

#include "ext/early_writes.h"
#include "ext/posted_functions.h"
#include "ext/rate_factors.h"
#include "ext/recorded_graph.h"
#include "ext/replaced_batch.h"
#include "generators.h"
#include "guard.h"
#include "host_block.h"
#include "log_limit.h"
#include "tensor_handles.h"

namespace grapnel::bridge {

struct Operators;
struct ModuleEntries;
struct LeaseList;
struct KnownDevice;
struct LiveArea;
struct PluginIdentity;
class PluginCallback;

// Thrown in a service for a broken contract; returned as GRAPNEL_INVALID_ARGUMENT.
struct ContractBreach {
  std::string text;
};

// Thrown in a service for a kind, tag or type that this host doesn't know but a newer one may;
// returned as GRAPNEL_UNSUPPORTED.
struct NotSupported {
  std::string text;  // "there is no request of kind 7"
};

// What a hook lends under a number that is never given again, so that an old handle is refused. The
// plugin sees the number as a pointer, through which nothing is read.
template <class T, class Handle>
class Lent {
 public:
  Handle* lend(T& object) noexcept {
    object_ = &object;
    return handle(++number_);
  }
  void take_back() noexcept { object_ = nullptr; }
  // nullptr for any handle but the running hook's.
  T* find(const Handle* given) const noexcept {
    return given == handle(number_) ? object_ : nullptr;
  }

 private:
  static Handle* handle(std::uintptr_t number) noexcept {
    return reinterpret_cast<Handle*>(number);
  }
  T* object_ = nullptr;
  std::uintptr_t number_ = 0;
};

inline constexpr std::int64_t kNoBatchIdx = -2;

// The running call: a hook, or create, init or a state function, which have no hook and no trainer.
struct Call {
  const char* name = "create";  // of the hook or function, for messages
  bool in_hook = false;
  Hook hook = Hook::on_init_start;
  bool custom = false;  // a user-defined event; hook is meaningless then
  bool recurs = false;  // with every batch or step
  // Not in the order of an Event's: copied as one, just after they were written one by one, they would
  // have to wait for the memory.
  Trainer* trainer = nullptr;
  Event* event = nullptr;
  Module* module = nullptr;
  std::int64_t batch_idx = kNoBatchIdx;  // of the event, if it has one
};

class InstanceHost {
 public:
  InstanceHost(PluginSite site, Parameters parameters, PluginCallback& owner);
  ~InstanceHost();
  InstanceHost(const InstanceHost&) = delete;
  InstanceHost& operator=(const InstanceHost&) = delete;

  const grapnel_host* abi() const noexcept { return block_.abi(); }

  const PluginSite& site() const noexcept { return site_; }
  const Parameters& parameters() const noexcept { return parameters_; }
  // Of this instance, from the user's settings; may be empty.
  const std::string& label() const noexcept;
  // Where the user keeps the library; empty: not known.
  const std::filesystem::path& origin_directory() const noexcept;
  // Logs a metric as the callback itself would, under the trainer's rules.
  void log_metric(Event& event, const std::string& name, const LogValue& value,
                  const LogOptions& options);

  // ---- The call of the plugin that is running now
  const Call* call() const noexcept { return call_; }
  // The trainer or module of the running hook; nullptr: none.
  Trainer* trainer() const noexcept { return call_ != nullptr ? call_->trainer : nullptr; }
  Module* module() const noexcept { return call_ != nullptr ? call_->module : nullptr; }
  // Marks the scope of a call, made on this thread.
  class CallScope {
   public:
    CallScope(InstanceHost& host, const Call& call) noexcept
        : host_(host), outer_(host.call_), running_scope_(host.running_) {
      host.begin(call);
      if (host.has_failure()) host.failure_.clear();  // of a call that returned OK all the same
    }
    ~CallScope() {
      host_.call_ = outer_;
      if (outer_ != nullptr) [[unlikely]]
        host_.describe(*outer_);
    }
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

   private:
    InstanceHost& host_;
    const Call* outer_;
    RunningPluginScope running_scope_;
  };
  // The same where no call of the instance runs yet, and the last one's failure was taken.
  class LoneCallScope {
   public:
    [[gnu::always_inline]] LoneCallScope(InstanceHost& host, const Call& call) noexcept
        : host_(host), running_scope_(host.running_) {
      host.begin(call);
    }
    [[gnu::always_inline]] ~LoneCallScope() { host_.call_ = nullptr; }
    LoneCallScope(const LoneCallScope&) = delete;
    LoneCallScope& operator=(const LoneCallScope&) = delete;

   private:
    InstanceHost& host_;
    RunningPluginScope running_scope_;
  };
  // Counts calls; data that is valid "until the hook returns" stores this number.
  std::uint64_t calls() const noexcept { return running_.number; }
  // The batch of the call before this scope's; -1: it had none.
  std::int64_t last_batch_idx() const noexcept { return running_.batch_idx; }

  // ---- Failures
  // Stores the exception until the hook returns GRAPNEL_PENDING; logs one that it replaces.
  std::int32_t keep(std::exception_ptr exception, const char* service) noexcept;
  std::exception_ptr take_pending() noexcept { return std::exchange(pending_, nullptr); }
  bool has_pending() const noexcept { return pending_ != nullptr; }
  void set_failure(std::string_view text) { failure_ = text; }
  bool has_failure() const noexcept { return !failure_.empty(); }
  std::string take_failure() { return std::exchange(failure_, {}); }
  std::int32_t invalid(const char* service, std::string_view text) noexcept;
  std::int32_t not_now(const char* service, std::string_view text) noexcept;
  std::int32_t unsupported(const char* service, std::string_view text) noexcept;
  // For a failure of a service that is the plugin's fault, with a text for its author.
  PluginError error(const std::string& text) const;

  // ---- Log, prefixed with the plugin's name. Any thread.
  void log(LogLevel level, std::string_view text) const noexcept;
  // Only the first time that this instance uses the key.
  void log_once(LogLevel level, std::string_view key, std::string_view text) noexcept;
  // The plugin's own lines: no more than LogLimit lets through.
  void log_limited(LogLevel level, std::string_view text) noexcept;
  void log_once_limited(LogLevel level, std::string_view key, std::string_view text) noexcept;

  // ---- What the extensions keep
  TensorHandles tensors;
  Lent<Batch, grapnel_batch> batch;
  bool batch_is_replaceable = false;  // in ..._batch_start hooks
  grapnel_tensor_info batch_info{};   // of the tensor that batch.describe was asked for last
  c10::DimVector batch_sizes, batch_strides;
  Lent<StepOutput, grapnel_outputs> outputs;
  grapnel_trainer_state trainer_state{};
  bool trainer_state_wanted = false;  // the plugin holds the pointer: keep it up to date
  std::string run_directory;
  GeneratorStates generators;
  std::unique_ptr<Operators> operators;
  EarlyWrites early_writes;
  ReplacedBatch replaced_batch;
  std::unique_ptr<ModuleEntries> module_entries;
  std::unique_ptr<LeaseList> leases;
  std::unique_ptr<PluginIdentity> identity;
  RateFactors rate_factors;
  // Before either of the two changes: keeps what they were when the running batch or validation began, for
  // a checkpoint that has it done again.
  void keep_beginning();
  struct ServiceState {
    const std::map<std::string, at::Tensor>& generators;
    const RateFactors& rate_factors;
  };
  // What belongs into the checkpoint that is put together now.
  ServiceState service_state() const noexcept;
  RecordedGraph recorded_graph;
  PostedFunctions posted;
  std::vector<std::unique_ptr<KnownDevice>>
      devices;  // one, but for an instance in several trainers
  // Whether operators record gradients: never longer than the call that asked for it.
  bool is_recording() const noexcept { return recording_in_ == calls(); }
  void set_recording(bool on) noexcept { recording_in_ = on ? calls() : 0; }
  // Extensions that the host itself does something for.
  std::atomic<bool> asked_for_thread = false;
  std::atomic<bool> asked_for_timing = false;
  std::vector<CheckpointPin> pins;
  std::unique_ptr<LiveArea> live_area;

  // Copies that live until the hook returns. Invalid UTF-8 is replaced.
  grapnel_string keep_text(std::string_view text);
  // For a text that outlives the hook: the text itself if it is UTF-8, else a copy by keep_text().
  grapnel_string lend_text(const std::string& text);
  const grapnel_optimizer_group* keep_group(const grapnel_optimizer_group& group);

 private:
  static std::int32_t GRAPNEL_CALL get_extension(const grapnel_host* host, grapnel_string id,
                                                 const void** table) noexcept;
  static std::int32_t GRAPNEL_CALL fail(const grapnel_host* host, grapnel_string text);

  HostBlock& block_;
  PluginSite site_;
  Parameters parameters_;
  PluginCallback& owner_;
  const Call* call_ = nullptr;
  struct {
    std::uint64_t part = 0;  // grapnel/repeated_part.h
    std::map<std::string, at::Tensor> generators;
    RateFactors rate_factors;
  } beginning_;
  std::uint64_t recording_in_ = 0;  // the number of the call
  // The running call, or the last one; its number counts them.
  RunningPlugin running_;
  void describe(const Call& call) noexcept {
    running_.function = call.name;
    running_.batch_idx = std::max<std::int64_t>(call.batch_idx, -1);
  }
  [[gnu::always_inline]] void begin(const Call& call) noexcept {
    call_ = &call;
    ++running_.number;
    describe(call);
    tensors.next_call();
    block_.set_thread();
  }
  std::exception_ptr pending_;
  std::string failure_;
  struct {
    std::uint64_t call = 0;  // that made them
    std::deque<std::string> texts;
    std::deque<grapnel_optimizer_group> groups;
  } kept_;
  void forget_kept();
  std::mutex log_mutex_;
  std::set<std::string, std::less<>> once_;
  LogLimit log_limit_;
  bool is_first(std::string_view key);
  void tell_of_left_out(std::uint64_t lines) const noexcept;
};

inline std::string_view view(grapnel_string text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}
// False for NULL with a size, or an absurd size.
inline bool is_text(grapnel_string text) noexcept {
  return text.data != nullptr ? text.size <= GRAPNEL_MAX_TEXT_BYTES : text.size == 0;
}
// Why is_text() is false: "is NULL with a size of 5".
std::string text_fault(grapnel_string text);
inline grapnel_string to_abi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

// The text; ContractBreach when is_text() is false or it isn't UTF-8.
std::string_view checked_text(grapnel_string text, const char* what);
inline void check_output(const void* pointer) {
  if (pointer == nullptr) throw ContractBreach{"an output pointer is NULL"};
}
// The tensor behind a handle; ContractBreach when the instance has no such handle, or has released it.
grapnel_tensor& checked_tensor(const InstanceHost& self, const grapnel_tensor* handle);

// The status of a call on a thread of the plugin: told once.
std::int32_t refuse_thread(HostBlock& block, const char* service) noexcept;

// For a service that runs no operator and makes no tensor: it needs no scope for them.
struct NoTensors {};

// One service on the training thread.
template <class Scope = PlainTensors, class Body>
std::int32_t service(const grapnel_host* host, const char* name, Body&& body) noexcept {
  HostBlock* block = HostBlock::of(host);
  if (block == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!block->is_thread()) return refuse_thread(*block, name);
  InstanceHost* self = block->host();
  if (self == nullptr) return GRAPNEL_NOT_NOW;  // destroyed
  if (self->call() == nullptr) return self->not_now(name, "called outside of a call to the plugin");
  try {
    [[maybe_unused]] const Scope scope;
    return body(*self);
  } catch (const ContractBreach& breach) {
    return self->invalid(name, breach.text);
  } catch (const NotSupported& unknown) {
    return self->unsupported(name, unknown.text);
  } catch (...) {
    return self->keep(std::current_exception(), name);
  }
}

// One service on any thread; its body throws nothing.
template <class Body>
std::int32_t any_thread_service(const grapnel_host* host, Body&& body) noexcept {
  HostBlock* block = HostBlock::of(host);
  if (block == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const HostBlock::Access access(*block);
  return access.get() == nullptr ? GRAPNEL_NOT_NOW : body(*access.get());
}

}  // namespace grapnel::bridge
