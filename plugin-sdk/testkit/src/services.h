// The extension tables of the recording host, by id; inside of recording_host.h.
//
// One more extension is one file: its functions, each a plain function on the host's data; a table of
// them, each in service<...>("extension.function"), which does what all services have in common
// (counting, failing on demand, the thread, handles and texts that a host would refuse); and a line
// in service_table() (tables.cpp). ../README.md has an example.
#pragma once

#include <cstdint>
#include <string_view>

#include <grapnel/testkit/recording_host.h>

namespace grapnel::testkit {

/// Null where the recording host has no such extension.
const void* service_table(std::string_view id);
/// The same table as a host of that shape has it; null where an older one has none.
const void* shaped_table(std::string_view id, const void* table, HostShape shape);

// The tables of one file each.
const void* params_table();
const void* log_table();
const void* request_table();
const void* metrics_table();
const void* trainer_table();
const void* plugin_table();
const void* tensors_table();
const void* aten_table();
const void* schedule_table();
const void* autograd_table();
const void* terminal_table();
const void* thread_table();
const void* checkpoint_table();
const void* device_table();
const void* timing_table();
const void* distributed_table();
const void* model_table(std::string_view id);  // module, optimizers, batch, outputs

/// Null when the bytes don't fit the sizes.
FakeTensorPtr fake_from_data(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                             const void* data, std::uint64_t bytes);
/// Row-major elements in the type's own format; false when the bytes don't fit.
bool fake_to_data(const FakeTensor& tensor, void* data, std::uint64_t bytes);
/// Bytes of one element; 0 for a type that the kit doesn't have.
std::uint64_t dtype_size(std::int32_t dtype);

namespace services_detail {

template <class T>
bool is_acceptable(const RecordingHost&, T) {
  return true;
}
inline bool is_acceptable(const RecordingHost&, grapnel_string string) {
  return is_text(string);
}
inline bool is_acceptable(const RecordingHost& host, const grapnel_tensor* handle) {
  return handle == nullptr || host.knows(handle);
}
inline bool is_acceptable(const RecordingHost& host, grapnel_tensor* handle) {
  return handle == nullptr || host.knows(handle);
}

template <auto Function, bool any_thread>
struct Service;

template <class... Arguments, std::int32_t (*Function)(const grapnel_host*, Arguments...),
          bool any_thread>
struct Service<Function, any_thread> {
  static inline const char* name = nullptr;
  static std::int32_t GRAPNEL_CALL call(const grapnel_host* host, Arguments... arguments) {
    RecordingHost& self = RecordingHost::of(host);
    const std::int32_t answer = self.before_service(name, any_thread);
    if (answer != GRAPNEL_OK) return answer;
    if (!(is_acceptable(self, arguments) && ...)) {
      return self.refuse(name, "a handle or text that no host takes");
    }
    return self.after_service(name, Function(host, arguments...));
  }
};

}  // namespace services_detail

/// A [train-thread] service of that name, "metrics.log_f64".
template <auto Function>
auto service(const char* name) {
  services_detail::Service<Function, false>::name = name;
  return &services_detail::Service<Function, false>::call;
}

/// An [any-thread] one.
template <auto Function>
auto any_thread_service(const char* name) {
  services_detail::Service<Function, true>::name = name;
  return &services_detail::Service<Function, true>::call;
}

}  // namespace grapnel::testkit
