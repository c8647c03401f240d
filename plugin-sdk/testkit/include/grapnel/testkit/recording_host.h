// A host without LibTorch, for tests of plugins: plain data that a test sets, plain records of what
// a plugin did. It speaks the C ABI as the real one does, refuses what that refuses, and knows a few
// dozen operators on doubles (src/fake_aten.cpp); it answers GRAPNEL_NOT_FOUND for all others, and
// `unknown_operators` has their names.
//
//   RecordingHost host;
//   host.params["patience"] = std::int64_t{2};
//   PluginFile plugin("nan_guard.so");
//   RunningCallback guard(host, plugin.entry(), "nan_guard");
//   guard.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start);
//   CHECK(host.requests.empty());
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/ext/layout.h>

namespace grapnel::testkit {

inline grapnel_string to_abi(std::string_view text) {
  return {text.data(), text.size()};
}
/// What a host may look at: neither NULL with a size, nor longer than the ABI allows.
inline bool is_text(grapnel_string string) {
  return string.data != nullptr ? string.size <= GRAPNEL_MAX_TEXT_BYTES : string.size == 0;
}
inline std::string text(grapnel_string string) {
  if (string.data == nullptr) return {};
  return std::string(string.data, static_cast<std::size_t>(string.size));
}

/// A tensor on the CPU, its elements kept as doubles whatever its dtype.
struct FakeTensor {
  std::int32_t dtype = GRAPNEL_DTYPE_F32;
  std::vector<std::int64_t> sizes;
  std::vector<double> values;
  std::int32_t device_type = GRAPNEL_DEVICE_CPU;
  // Filled when described:
  std::vector<std::int64_t> strides;
  std::vector<float> elements;  // of an f32 tensor on the CPU
  grapnel_tensor_info info{};

  static std::shared_ptr<FakeTensor> make(std::vector<double> values,
                                          std::int32_t dtype = GRAPNEL_DTYPE_F32);
  static std::shared_ptr<FakeTensor> scalar(double value, std::int32_t dtype = GRAPNEL_DTYPE_F32);
};
using FakeTensorPtr = std::shared_ptr<FakeTensor>;

struct FakeParameter {
  std::string name;
  FakeTensorPtr tensor;
  FakeTensorPtr grad;  // none: null
  bool trainable = true;
  FakeTensorPtr mask = {};  // not pruned: null
};

struct FakeBatch {
  std::vector<std::string> names;
  std::vector<FakeTensorPtr> tensors;
  std::vector<std::int64_t> sample_indices;
};

struct FakeOutputs {
  std::optional<double> loss;
  std::vector<std::string> names;
  std::vector<FakeTensorPtr> tensors;
};

struct FakeOptimizer {
  std::string name;
  std::vector<std::map<std::string, double>> groups;
};

/// What an instance wrote into a checkpoint.
struct RecordedState {
  using Value =
      std::variant<std::int64_t, double, std::string, std::vector<unsigned char>, FakeTensorPtr>;
  std::string version = "0.1.0";
  std::vector<std::pair<std::string, Value>> entries;

  const Value* find(std::string_view key) const;
};

/// Which hosts of the same major it stands for.
enum class HostShape {
  current,
  older,  // of the ABI's lowest minor: shorter structs, fewer extensions
  grown,  // of a later minor: longer structs
};

class RecordingHost {
 public:
  using Param =
      std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<bool>,
                   std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;
  struct Request {
    std::int32_t kind;
    std::string reason;
  };
  struct Metric {
    std::string name;
    double value;
    std::uint32_t flags;
    std::int64_t batch_size;
  };

  RecordingHost();
  ~RecordingHost();
  RecordingHost(const RecordingHost&) = delete;
  RecordingHost& operator=(const RecordingHost&) = delete;

  const grapnel_host* abi() const;
  static RecordingHost& of(const grapnel_host* host);

  // ---- Set by the test
  std::map<std::string, Param> params;  // what plugin.json declares, with its values
  std::set<std::string> missing;        // ids of extensions, operators that this host lacks
  // Services that fail: by name ("metrics.log_f64"), "log" and "request" for all of an extension,
  // operators ("aten::clone"), and ids of extensions for get_extension.
  std::set<std::string> failing;
  std::int32_t failing_status = GRAPNEL_PENDING;  // what the failing ones answer
  HostShape shape = HostShape::current;           // before the first instance is made
  grapnel_trainer_state trainer{};
  std::uint64_t after_trainer[4] = {};  // what a grown trainer state has in addition
  std::vector<FakeParameter> parameters;
  std::vector<FakeParameter> buffers;
  std::uint64_t generation = 1;  // raise it when the two above change
  // The model itself: null when it can't take the input. Empty: there is none.
  std::function<FakeTensorPtr(const FakeTensorPtr& input)> forward;
  std::vector<FakeOptimizer> optimizers;
  bool gradients_unscaled = true;
  std::string run_directory = "/run";
  std::optional<double> step_loss;  // in on_before_backward; else empty
  struct Device {
    std::int32_t type = GRAPNEL_DEVICE_CPU;
    std::string name;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> memory;  // used, total
    std::optional<double> utilization;
    std::optional<std::uint64_t> process_memory;
  };
  Device device;
  struct Times {
    std::array<double, GRAPNEL_PHASE_VALIDATION + 1> phases{};
    double total = 0;
    double in_hooks = 0;
    std::int64_t batches = 0;
    std::int64_t samples = 0;
  };
  std::optional<Times> times;  // empty: outside of a fit
  struct Checkpoints {
    std::string last, best, writing;  // empty: none
    std::optional<double> best_value;
  };
  Checkpoints checkpoints;
  struct Terminal {
    bool is_terminal = true;
    std::int32_t columns = 80;
  };
  std::optional<Terminal> terminal = Terminal{};  // empty: no progress is wanted
  std::string data_directory = "/data/probe";     // of ext/plugin.h
  std::map<std::string, double> module_metrics;   // what the model logged: readable by the plugin
  bool ended = false;  // as after destroy: every service answers GRAPNEL_NOT_NOW

  // ---- Done by the plugin
  std::vector<std::string> failures;  // texts given with fail
  std::vector<std::string> log;       // "warning: text"
  std::vector<Request> requests;
  std::vector<Metric> metrics;
  std::vector<std::string> calls;                                        // operators, in order
  std::map<std::pair<std::int64_t, std::int64_t>, double> rate_factors;  // by optimizer, group
  std::vector<std::pair<std::string, double>> loss_terms;
  std::multiset<std::string> pins;   // of checkpoints
  std::vector<std::string> printed;  // on the terminal
  std::vector<std::string> drawn;    // the live area
  bool is_recording = false;         // gradients
  std::set<std::string> unknown_operators;
  std::set<std::string> extensions;  // ids that it asked for
  std::set<std::string> services;    // that it called: "metrics.log_f64"
  // Calls that a host refuses because the caller broke the contract: "tensors.release: a handle that
  // is not the caller's".
  std::vector<std::string> breaches;
  std::int64_t leases_undone = 0;      // by the host, at the end of a training
  std::int64_t unfinished_writes = 0;  // handles released between begin_write and end_write
  bool pending = false;                // a service failed and its failure was not passed on yet
  std::string lease_reason;            // of the last lease that lasts; empty: none does

  /// Handles that plugins hold: 0 when none leaked.
  std::int64_t live_handles = 0;
  grapnel_tensor* new_handle(FakeTensorPtr tensor);
  /// One that belongs to the host: valid as long as the host is.
  grapnel_tensor* lend_handle(FakeTensorPtr tensor);
  void drop(grapnel_tensor* handle);
  static FakeTensorPtr& tensor(grapnel_tensor* handle);
  bool knows(const grapnel_tensor* handle) const;
  bool owns(const grapnel_tensor* handle) const;  // the plugin: it may release the handle
  void end_leases();                              // all of them, as after a failure
  std::int64_t active_leases() const;

  // A lease of weights: of several of one tensor the last counts, whenever the others end. A handle
  // stays known, ended or not.
  struct WeightLease {
    std::string reason;
    std::vector<std::size_t> frozen;  // parameters, of a lease that freezes
    std::vector<std::pair<FakeTensorPtr, std::vector<double>>>
        swaps;  // and the values in their place
    bool active = true;
  };
  void begin_lease(WeightLease& lease);
  void end_lease(WeightLease& lease);

  // What threads of the plugin posted; it runs before the next hook.
  struct Posted {
    grapnel_posted run;
    grapnel_posted drop;
    void* data;
  };
  std::mutex posted_mutex;
  std::deque<Posted> posted;
  bool takes_posted = true;  // until destroy

  // For the services: what they handed out, and the model's own values of tensors that are leased.
  std::set<std::string> once_keys;
  std::deque<WeightLease> leases;
  std::map<FakeTensorPtr, std::vector<double>> own_values;
  std::vector<std::unique_ptr<grapnel_module_entry>> entries;
  std::deque<grapnel_optimizer_group> groups;
  std::vector<grapnel_tensor*> result_list;
  std::map<grapnel_tensor*, std::vector<unsigned char>> writes;  // begun and not ended

  // Around each call of a service (src/services.h): GRAPNEL_OK, or the answer instead of the call.
  std::int32_t before_service(const char* service, bool any_thread);
  std::int32_t after_service(const char* service, std::int32_t status);
  std::int32_t refuse(const char* service, const char* why);
  std::mutex mutex;  // of what services on any thread record

 private:
  void apply_leases();

  std::thread::id thread_ = std::this_thread::get_id();
  std::unordered_set<const grapnel_tensor*> owned_, lent_;

  struct Abi;
  std::unique_ptr<Abi> abi_;
};

/// A plugin's library, loaded as a host does, for the life of the process. Throws
/// std::runtime_error.
class PluginFile {
 public:
  explicit PluginFile(const std::filesystem::path& path);
  const grapnel_plugin& entry() const { return *entry_; }

 private:
  const grapnel_plugin* entry_;
};

/// One instance, from create to destroy. The constructor throws std::runtime_error with the
/// plugin's own text when create or init fails; destroy follows all the same.
class RunningCallback {
 public:
  RunningCallback(RecordingHost& host, const grapnel_plugin& plugin, std::string_view callback);
  RunningCallback(const RunningCallback&) = delete;
  RunningCallback& operator=(const RunningCallback&) = delete;
  ~RunningCallback();

  RecordingHost& host() const { return *host_; }
  grapnel_instance* abi() const { return instance_; }
  /// Ends it early, once; the status of the plugin's destroy.
  std::int32_t destroy();

  bool wants(std::uint32_t hook) const { return entry(hook) != nullptr; }
  std::vector<std::uint32_t> hooks() const;
  bool is_optional(std::uint32_t hook) const;
  /// Calls one hook; GRAPNEL_OK when the instance doesn't want it. event: its struct of the ABI,
  /// whose first two fields are filled in here.
  template <class RawEvent>
  std::int32_t fire(std::uint32_t hook, RawEvent event = {}) {
    struct {
      RawEvent event;
      std::uint64_t tail[4];  // what a grown event has in addition
    } grown = {event, {}};
    const bool is_grown = host_->shape == HostShape::grown;
    grown.event.struct_size = is_grown ? sizeof grown : sizeof event;
    grown.event.hook = hook;
    return call(hook, reinterpret_cast<const grapnel_Event*>(&grown));
  }
  std::int32_t call(std::uint32_t hook, const grapnel_Event* event);
  // The hooks that most tests want.
  std::int32_t train_batch_end(FakeOutputs outputs, std::int64_t batch_idx = 0);
  std::int32_t before_optimizer_step();

  /// Handlers of user-defined events; null when it has none of the name.
  const grapnel_event_handler* event_handler(std::string_view event) const;
  std::vector<std::string> events() const;
  std::int32_t fire_event(std::string_view event, const std::vector<grapnel_value>& values = {});

  const grapnel_metrics_sink* metrics_sink() const;  // null when it is none
  const grapnel_state* state() const;                // null when it has none
  std::optional<std::string> state_key() const;
  /// Throws std::runtime_error with the status when it fails.
  RecordedState save() const;
  std::int32_t load(const RecordedState& saved);

 private:
  const grapnel_hook_entry* entry(std::uint32_t hook) const;
  std::optional<RecordingHost::Posted> next_posted();

  RecordingHost* host_;
  grapnel_instance* instance_ = nullptr;  // null once destroyed
};

/// Runs an operator of the fake LibTorch. Unknown: GRAPNEL_NOT_FOUND; wrong arguments:
/// GRAPNEL_PENDING.
bool fake_aten_knows(std::string_view name_and_overload);
std::int32_t fake_aten_call(RecordingHost& host, std::string_view name_and_overload,
                            const grapnel_value* arguments, std::uint64_t count,
                            std::vector<grapnel_value>& results);

}  // namespace grapnel::testkit
