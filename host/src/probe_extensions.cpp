// The extensions offered to a probed callback.
#include <cstdio>
#include <optional>
#include <string_view>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/ext/layout.h>

#include "probe_host.h"

namespace grapnel::host {
namespace {

std::string_view view(grapnel_string text) noexcept {
  return text.size == 0 ? std::string_view()
                        : std::string_view(text.data, static_cast<std::size_t>(text.size));
}

// ---- Services that need a training: a function of any signature that returns GRAPNEL_NOT_NOW.

template <class Function>
struct NotNow;

template <class... Arguments>
struct NotNow<std::int32_t(GRAPNEL_CALL*)(const grapnel_host*, Arguments...)> {
  static std::int32_t GRAPNEL_CALL call(const grapnel_host* host, Arguments...) {
    ProbeHost::of(host).note_refused_service();
    return GRAPNEL_NOT_NOW;
  }
};

template <class... Functions>
void refuse_all(Functions&... functions) {
  ((functions = &NotNow<Functions>::call), ...);
}

// ---- log: to standard error, whose end the probe shows.

std::int32_t GRAPNEL_CALL write_log(const grapnel_host*, std::int32_t, grapnel_string text) {
  const std::string line = printable(view(text)) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL write_log_once(const grapnel_host* host, std::int32_t level,
                                         grapnel_string, grapnel_string text) {
  return write_log(host, level, text);
}

// ---- params: the defaults of the manifest.

void read(const ConfigValue& value, std::int64_t& out) {
  out = value.as_int();
}
void read(const ConfigValue& value, double& out) {
  out = value.as_double();
}
void read(const ConfigValue& value, std::int32_t& out) {
  out = value.as_bool() ? 1 : 0;
}
void read(const ConfigValue& value, grapnel_string& out) {
  const std::string& text = value.as_string();
  out = {text.data(), text.size()};
}

template <class Use>
std::int32_t with_value(const grapnel_host* host, grapnel_string name, Use use) noexcept {
  try {
    const ConfigValue* value = ProbeHost::of(host).parameters().values().find(view(name));
    if (value == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    if (value->is_null()) return GRAPNEL_NOT_FOUND;
    return use(*value);
  } catch (const ConfigError&) {
    return GRAPNEL_INVALID_ARGUMENT;  // of another type
  } catch (...) {
    return GRAPNEL_PENDING;
  }
}

template <class T>
std::int32_t GRAPNEL_CALL get(const grapnel_host* host, grapnel_string name, T* out) {
  return with_value(host, name, [&](const ConfigValue& value) {
    read(value, *out);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL list_size(const grapnel_host* host, grapnel_string name,
                                    std::uint64_t* size) {
  return with_value(host, name, [&](const ConfigValue& value) {
    *size = value.as_array().size();
    return GRAPNEL_OK;
  });
}

template <class T>
std::int32_t GRAPNEL_CALL list_item(const grapnel_host* host, grapnel_string name,
                                    std::uint64_t index, T* out) {
  return with_value(host, name, [&](const ConfigValue& value) {
    if (index >= value.as_array().size()) return GRAPNEL_NOT_FOUND;
    read(value.as_array()[static_cast<std::size_t>(index)], *out);
    return GRAPNEL_OK;
  });
}

// ---- trainer: before the first step.

std::int32_t GRAPNEL_CALL trainer_state(const grapnel_host*, const grapnel_trainer_state** result) {
  static constexpr grapnel_trainer_state state = [] {
    grapnel_trainer_state before{};
    before.struct_size = sizeof(grapnel_trainer_state);
    before.run = GRAPNEL_RUN_FIT;
    before.batch_idx = -1;
    before.max_epochs = -1;
    before.max_steps = -1;
    before.max_time = -1;
    before.num_training_batches = -1;
    before.accumulate_grad_batches = 1;
    return before;
  }();
  *result = &state;
  return GRAPNEL_OK;
}

// ---- plugin: what the manifest says.

std::int32_t GRAPNEL_CALL plugin_info(const grapnel_host* host, const grapnel_plugin_info** info) {
  *info = &ProbeHost::of(host).plugin_info();
  return GRAPNEL_OK;
}

// ---- distributed: this process alone.

std::int32_t GRAPNEL_CALL process_info(const grapnel_host*, const grapnel_process_info** info) {
  static constexpr grapnel_process_info only = {sizeof(grapnel_process_info), 0, 0, 1, 0};
  *info = &only;
  return GRAPNEL_OK;
}

// ---- aten: plugins look their operators up early and call them later.

std::int32_t GRAPNEL_CALL find_operator(const grapnel_host*, grapnel_string, grapnel_string,
                                        const grapnel_operator** op) {
  static const char any_operator = 0;
  *op = reinterpret_cast<const grapnel_operator*>(&any_operator);
  return GRAPNEL_OK;
}

struct Tables {
  grapnel_aten aten{};
  grapnel_autograd autograd{};
  grapnel_batches batch{};
  grapnel_checkpoint checkpoint{};
  grapnel_device device{};
  grapnel_distributed distributed{};
  grapnel_log log{};
  grapnel_metrics metrics{};
  grapnel_module module{};
  grapnel_optimizers optimizers{};
  grapnel_step_outputs outputs{};
  grapnel_params params{};
  grapnel_plugin_services plugin{};
  grapnel_request request{};
  grapnel_schedule schedule{};
  grapnel_tensors tensors{};
  grapnel_terminal terminal{};
  grapnel_thread thread{};
  grapnel_timing timing{};
  grapnel_trainer trainer{};
  grapnel_event_support event{sizeof(grapnel_event_support), 0};
  grapnel_metrics_sink_support metrics_sink{sizeof(grapnel_metrics_sink_support), 0};
  grapnel_state_support state{sizeof(grapnel_state_support), 0};

  Tables() {
    aten.struct_size = sizeof aten;
    aten.find = &find_operator;
    refuse_all(aten.call, aten.describe, aten.call_named);
    autograd.struct_size = sizeof autograd;
    refuse_all(autograd.begin_recording, autograd.end_recording, autograd.step_loss,
               autograd.add_term);
    batch.struct_size = sizeof batch;
    refuse_all(batch.count, batch.name, batch.get, batch.replace, batch.sample_indices,
               batch.describe);
    device.struct_size = sizeof device;
    refuse_all(device.info, device.memory, device.utilization, device.process_memory);
    distributed.struct_size = sizeof distributed;
    distributed.info = &process_info;
    refuse_all(distributed.barrier, distributed.all_reduce, distributed.broadcast);
    checkpoint.struct_size = sizeof checkpoint;
    refuse_all(checkpoint.last, checkpoint.best, checkpoint.writing, checkpoint.pin,
               checkpoint.unpin);
    log = {sizeof log, 0, &write_log, &write_log_once};
    metrics.struct_size = sizeof metrics;
    refuse_all(metrics.log_f64, metrics.log_tensor, metrics.get, metrics.count, metrics.name);
    module.struct_size = sizeof module;
    refuse_all(module.generation, module.count, module.entry, module.grad, module.lease_weights,
               module.end_lease, module.flops_per_batch, module.freeze, module.forward);
    optimizers.struct_size = sizeof optimizers;
    refuse_all(optimizers.count, optimizers.name, optimizers.group_count, optimizers.group,
               optimizers.option_name, optimizers.get_option, optimizers.set_option,
               optimizers.gradients_are_unscaled);
    outputs.struct_size = sizeof outputs;
    refuse_all(outputs.loss, outputs.loss_tensor, outputs.count, outputs.name, outputs.get);
    params = {sizeof params,
              0,
              &get<std::int64_t>,
              &get<double>,
              &get<std::int32_t>,
              &get<grapnel_string>,
              &list_size,
              &list_item<std::int64_t>,
              &list_item<double>,
              &list_item<grapnel_string>,
              &list_item<std::int32_t>};
    plugin.struct_size = sizeof plugin;
    plugin.info = &plugin_info;
    refuse_all(plugin.data_directory);  // a probe leaves nothing behind
    request.struct_size = sizeof request;
    refuse_all(request.request);
    schedule.struct_size = sizeof schedule;
    refuse_all(schedule.set_factor, schedule.get_factor, schedule.rate);
    tensors.struct_size = sizeof tensors;
    refuse_all(tensors.describe, tensors.retain, tensors.release, tensors.to_f64, tensors.read,
               tensors.begin_write, tensors.end_write, tensors.from_data);
    thread.struct_size = sizeof thread;
    refuse_all(thread.post);
    timing.struct_size = sizeof timing;
    refuse_all(timing.phase, timing.total, timing.count, timing.samples_per_second);
    terminal.struct_size = sizeof terminal;
    refuse_all(terminal.info, terminal.print, terminal.draw);
    trainer = {sizeof trainer, 0, &trainer_state};
  }
};

}  // namespace

const void* probe_extension(std::string_view id) noexcept {
  static const Tables tables;
  static const struct {
    std::string_view id;
    const void* table;
  } extensions[] = {
      {GRAPNEL_EXT_ATEN, &tables.aten},
      {GRAPNEL_EXT_BATCH, &tables.batch},
      {GRAPNEL_EXT_LOG, &tables.log},
      {GRAPNEL_EXT_METRICS, &tables.metrics},
      {GRAPNEL_EXT_MODULE, &tables.module},
      {GRAPNEL_EXT_OPTIMIZERS, &tables.optimizers},
      {GRAPNEL_EXT_OUTPUTS, &tables.outputs},
      {GRAPNEL_EXT_PARAMS, &tables.params},
      {GRAPNEL_EXT_REQUEST, &tables.request},
      {GRAPNEL_EXT_TENSORS, &tables.tensors},
      {GRAPNEL_EXT_TRAINER, &tables.trainer},
      {GRAPNEL_EXT_EVENT, &tables.event},
      {GRAPNEL_EXT_METRICS_SINK, &tables.metrics_sink},
      {GRAPNEL_EXT_CHECKPOINT, &tables.checkpoint},
      {GRAPNEL_EXT_TERMINAL, &tables.terminal},
      {GRAPNEL_EXT_STATE, &tables.state},
      {GRAPNEL_EXT_PLUGIN, &tables.plugin},
      {GRAPNEL_EXT_AUTOGRAD, &tables.autograd},
      {GRAPNEL_EXT_DEVICE, &tables.device},
      {GRAPNEL_EXT_DISTRIBUTED, &tables.distributed},
      {GRAPNEL_EXT_SCHEDULE, &tables.schedule},
      {GRAPNEL_EXT_THREAD, &tables.thread},
      {GRAPNEL_EXT_TIMING, &tables.timing},
  };
  for (const auto& extension : extensions) {
    if (extension.id == id) return extension.table;
  }
  return nullptr;
}

}  // namespace grapnel::host
