// A host without LibTorch, for tests of plugins and of the SDK: plain data that a test sets, plain
// records of what a plugin did. It speaks the C ABI as the real one does and knows a few dozen
// operators on doubles (fake_aten.cpp).
//
//   RecordingHost host;
//   host.params["patience"] = std::int64_t{2};
//   PluginFile plugin(NAN_GUARD_FILE);
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
#include <utility>
#include <variant>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/ext/layout.h>

namespace grapnel::test {

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
  std::set<std::string> missing;        // ids of extensions that this host lacks
  // Services that answer PENDING: operators, "log", "request", and ids of extensions for
  // get_extension.
  std::set<std::string> failing;
  grapnel_trainer_state trainer{};
  std::vector<FakeParameter> parameters;
  std::vector<FakeParameter> buffers;
  std::uint64_t generation = 1;  // raise it when the two above change
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

  // ---- Done by the plugin
  std::vector<std::string> failures;  // texts given with fail
  std::vector<std::string> log;       // "warning: text"
  std::vector<Request> requests;
  std::vector<Metric> metrics;
  std::vector<std::string> calls;  // operators, in order
  bool pending = false;            // a service failed and its failure was not passed on yet
  std::map<std::pair<std::int64_t, std::int64_t>, double> rate_factors;  // by optimizer, group
  std::vector<std::pair<std::string, double>> loss_terms;
  bool is_recording = false;  // gradients
  std::string lease_reason;   // of the last lease that lasts; empty: none does

  /// Handles that plugins hold: 0 when none leaked.
  std::int64_t live_handles = 0;
  grapnel_tensor* new_handle(FakeTensorPtr tensor);
  void drop(grapnel_tensor* handle);
  static FakeTensorPtr& tensor(grapnel_tensor* handle);
  void end_leases();  // all of them, as after a failure

  // A lease of weights: of several of one tensor the last counts, whenever the others end. A handle
  // stays known, ended or not.
  struct WeightLease {
    std::string reason;
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

 private:
  void apply_leases();

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

  bool wants(std::uint32_t hook) const { return entry(hook) != nullptr; }
  std::vector<std::uint32_t> hooks() const;
  bool is_optional(std::uint32_t hook) const;
  /// Calls one hook; GRAPNEL_OK when the instance doesn't want it. event: its struct of the ABI,
  /// whose first two fields are filled in here.
  template <class RawEvent>
  std::int32_t fire(std::uint32_t hook, RawEvent event = {}) {
    event.struct_size = sizeof event;
    event.hook = hook;
    return call(hook, reinterpret_cast<const grapnel_Event*>(&event));
  }
  std::int32_t call(std::uint32_t hook, const grapnel_Event* event);
  // The hooks that most tests want.
  std::int32_t train_batch_end(FakeOutputs outputs, std::int64_t batch_idx = 0);
  std::int32_t before_optimizer_step();

  /// Handlers of user-defined events; null when it has none of the name.
  const grapnel_event_handler* event_handler(std::string_view event) const;
  std::vector<std::string> events() const;
  std::int32_t fire_event(std::string_view event, const std::vector<grapnel_value>& values = {});

  const grapnel_state* state() const;  // null when it has none
  std::optional<std::string> state_key() const;
  /// Throws std::runtime_error with the status when it fails.
  RecordedState save() const;
  std::int32_t load(const RecordedState& saved);

 private:
  const grapnel_hook_entry* entry(std::uint32_t hook) const;
  std::optional<RecordingHost::Posted> next_posted();

  RecordingHost* host_;
  grapnel_instance* instance_ = nullptr;
};

/// Runs an operator of the fake LibTorch. Unknown: GRAPNEL_NOT_FOUND; wrong arguments:
/// GRAPNEL_PENDING.
bool fake_aten_knows(std::string_view name_and_overload);
std::int32_t fake_aten_call(RecordingHost& host, std::string_view name_and_overload,
                            const grapnel_value* arguments, std::uint64_t count,
                            std::vector<grapnel_value>& results);

}  // namespace grapnel::test
