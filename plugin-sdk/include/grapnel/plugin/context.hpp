// The host as one instance sees it: extension tables and operators, looked up once and kept.
//
// Not for authors, who use Event and Services, which are built on it. [train-thread]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/ext/aten.h>
#include <grapnel/ext/autograd.h>
#include <grapnel/ext/batch.h>
#include <grapnel/ext/checkpoint.h>
#include <grapnel/ext/device.h>
#include <grapnel/ext/distributed.h>
#include <grapnel/ext/log.h>
#include <grapnel/ext/metrics.h>
#include <grapnel/ext/module.h>
#include <grapnel/ext/optimizers.h>
#include <grapnel/ext/outputs.h>
#include <grapnel/ext/params.h>
#include <grapnel/ext/plugin.h>
#include <grapnel/ext/request.h>
#include <grapnel/ext/schedule.h>
#include <grapnel/ext/tensors.h>
#include <grapnel/ext/terminal.h>
#include <grapnel/ext/thread.h>
#include <grapnel/ext/timing.h>
#include <grapnel/ext/trainer.h>
#include <grapnel/plugin/growth.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

/// The id of the extension whose table is Table, and its place in Context's cache.
template <class Table>
struct Extension;

#define GRAPNEL_PLUGIN_EXTENSION(table, name, place) \
  template <>                                        \
  struct Extension<table> {                          \
    static constexpr std::string_view id = name;     \
    static constexpr std::size_t slot = place;       \
  };
GRAPNEL_PLUGIN_EXTENSION(grapnel_aten, GRAPNEL_EXT_ATEN, 0)
GRAPNEL_PLUGIN_EXTENSION(grapnel_batches, GRAPNEL_EXT_BATCH, 1)
GRAPNEL_PLUGIN_EXTENSION(grapnel_log, GRAPNEL_EXT_LOG, 2)
GRAPNEL_PLUGIN_EXTENSION(grapnel_metrics, GRAPNEL_EXT_METRICS, 3)
GRAPNEL_PLUGIN_EXTENSION(grapnel_module, GRAPNEL_EXT_MODULE, 4)
GRAPNEL_PLUGIN_EXTENSION(grapnel_optimizers, GRAPNEL_EXT_OPTIMIZERS, 5)
GRAPNEL_PLUGIN_EXTENSION(grapnel_step_outputs, GRAPNEL_EXT_OUTPUTS, 6)
GRAPNEL_PLUGIN_EXTENSION(grapnel_params, GRAPNEL_EXT_PARAMS, 7)
GRAPNEL_PLUGIN_EXTENSION(grapnel_request, GRAPNEL_EXT_REQUEST, 8)
GRAPNEL_PLUGIN_EXTENSION(grapnel_tensors, GRAPNEL_EXT_TENSORS, 9)
GRAPNEL_PLUGIN_EXTENSION(grapnel_trainer, GRAPNEL_EXT_TRAINER, 10)
GRAPNEL_PLUGIN_EXTENSION(grapnel_plugin_services, GRAPNEL_EXT_PLUGIN, 11)
GRAPNEL_PLUGIN_EXTENSION(grapnel_autograd, GRAPNEL_EXT_AUTOGRAD, 12)
GRAPNEL_PLUGIN_EXTENSION(grapnel_device, GRAPNEL_EXT_DEVICE, 13)
GRAPNEL_PLUGIN_EXTENSION(grapnel_distributed, GRAPNEL_EXT_DISTRIBUTED, 14)
GRAPNEL_PLUGIN_EXTENSION(grapnel_schedule, GRAPNEL_EXT_SCHEDULE, 15)
GRAPNEL_PLUGIN_EXTENSION(grapnel_thread, GRAPNEL_EXT_THREAD, 16)
GRAPNEL_PLUGIN_EXTENSION(grapnel_timing, GRAPNEL_EXT_TIMING, 17)
GRAPNEL_PLUGIN_EXTENSION(grapnel_checkpoint, GRAPNEL_EXT_CHECKPOINT, 18)
GRAPNEL_PLUGIN_EXTENSION(grapnel_terminal, GRAPNEL_EXT_TERMINAL, 19)
#undef GRAPNEL_PLUGIN_EXTENSION
inline constexpr std::size_t extension_slots = 20;

/// The table of an extension, null if the host has none. Throws if the host fails.
inline const void* find_table(const grapnel_host* host, std::string_view id) {
  const void* table = nullptr;
  const auto status = host->get_extension(host, to_abi(id), &table);
  return check_found(status, "the extension " + std::string(id)) ? table : nullptr;
}

class Context {
 public:
  explicit Context(const grapnel_host* host) noexcept : host_(host) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const grapnel_host* host() const noexcept { return host_; }

  /// The table, or null if the host has none.
  template <class Table>
  const Table* find() {
    const void*& slot = tables_[Extension<Table>::slot];
    if (slot == nullptr) slot = find_table(host_, Extension<Table>::id);
    return static_cast<const Table*>(slot);
  }

  /// Calls a function of an extension, as in call<&grapnel_metrics::log_f64>(name, value, options).
  /// Throws Unsupported, naming the extension, when the host lacks it or its function.
  template <auto Function, class... Args>
  std::int32_t call(Args... args) {
    using Table = OwnerOf<Function>;
    const Table* table = find<Table>();
    if (table == nullptr) fail_missing(Extension<Table>::id);
    if (!has<Function>(*table)) {
      fail_absent<Function>("this host's " + std::string(Extension<Table>::id));
    }
    return (table->*Function)(host_, args...);
  }

  /// A field of the state of the run.
  template <auto Field>
  const ValueOf<Field>& trainer() {
    if (trainer_ == nullptr) {
      check(call<&grapnel_trainer::state>(&trainer_), "the state of the run");
    }
    return field<Field>(*trainer_, "this host's state of the run");
  }

  /// The handle of an operator, from the host the first time. Throws Error if LibTorch has none.
  const grapnel_operator* find_operator(std::string_view name, std::string_view overload) {
    for (const auto& known : operators_) {
      if (known.name == name && known.overload == overload) return known.handle;
    }
    const grapnel_operator* handle = nullptr;
    const std::int32_t status = call<&grapnel_aten::find>(to_abi(name), to_abi(overload), &handle);
    if (status != GRAPNEL_OK || handle == nullptr) {
      fail_call(status, "operator " + std::string(name) + "." + std::string(overload));
    }
    operators_.push_back({std::string(name), std::string(overload), handle});
    return handle;
  }

 private:
  struct KnownOperator {
    std::string name;
    std::string overload;
    const grapnel_operator* handle;
  };

  [[noreturn]] static void fail_missing(std::string_view id) {
    throw Unsupported("this host does not offer the extension " + std::string(id));
  }

  const grapnel_host* host_;
  const grapnel_trainer_state* trainer_ = nullptr;
  std::array<const void*, extension_slots> tables_{};
  std::vector<KnownOperator> operators_;
};

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
