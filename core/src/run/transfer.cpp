// The way of a batch from its loader to the device.
#include "run/run.h"

namespace grapnel {

Batch Run::transfer(Batch batch, int64_t dataloader_idx) {
  convert_input(batch, options.precision);
  // The data module's override wins over the module's.
  const auto call = [&](DataMethod method, std::string_view name, auto&& on_data, auto&& on_module,
                        auto&& otherwise) {
    Dispatcher::ModuleScope scope(hooks, name);
    const ProfilerSpan span(profile.profiler(), "data", name);
    if (data_module_has(method)) return on_data();
    if (mask.has(method)) return on_module();
    return otherwise();
  };
  const auto as_is = [&] { return std::move(batch); };
  batch = call(
      DataMethod::on_before_batch_transfer, "on_before_batch_transfer",
      [&] { return data.module->on_before_batch_transfer(std::move(batch), dataloader_idx); },
      [&] { return module->on_before_batch_transfer(std::move(batch), dataloader_idx); }, as_is);
  batch = call(
      DataMethod::transfer_batch_to_device, "transfer_batch_to_device",
      [&] {
        return data.module->transfer_batch_to_device(std::move(batch), device, dataloader_idx);
      },
      [&] { return module->transfer_batch_to_device(std::move(batch), device, dataloader_idx); },
      [&] {
        if (device.is_cpu()) return std::move(batch);
        return module->Module::transfer_batch_to_device(std::move(batch), device, dataloader_idx);
      });
  return call(
      DataMethod::on_after_batch_transfer, "on_after_batch_transfer",
      [&] { return data.module->on_after_batch_transfer(std::move(batch), dataloader_idx); },
      [&] { return module->on_after_batch_transfer(std::move(batch), dataloader_idx); }, as_is);
}

}  // namespace grapnel
