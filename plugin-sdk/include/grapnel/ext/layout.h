/* Pins the layout of every struct of the extensions, as ../abi_layout.h does for the ABI's own.
 * Includes them all; host and tests include it once. A released offset never changes; what is
 * appended to a struct changes its size here and adds lines. */
#ifndef GRAPNEL_EXT_LAYOUT_H_
#define GRAPNEL_EXT_LAYOUT_H_

#include "aten.h"
#include "autograd.h"
#include "batch.h"
#include "checkpoint.h"
#include "device.h"
#include "distributed.h"
#include "event.h"
#include "log.h"
#include "metrics.h"
#include "metrics_sink.h"
#include "module.h"
#include "optimizers.h"
#include "outputs.h"
#include "params.h"
#include "plugin.h"
#include "request.h"
#include "schedule.h"
#include "state.h"
#include "tensors.h"
#include "terminal.h"
#include "thread.h"
#include "timing.h"
#include "trainer.h"

/* aten.h */
GRAPNEL_SIZE(grapnel_value, 24);
GRAPNEL_LAYOUT(grapnel_value, reserved, 4);
GRAPNEL_LAYOUT(grapnel_value, size, 8);
GRAPNEL_LAYOUT(grapnel_value, u, 16);
GRAPNEL_SIZE(grapnel_operator_argument, 40);
GRAPNEL_LAYOUT(grapnel_operator_argument, flags, 4);
GRAPNEL_LAYOUT(grapnel_operator_argument, name, 8);
GRAPNEL_LAYOUT(grapnel_operator_argument, type, 24);
GRAPNEL_SIZE(grapnel_operator_info, 40);
GRAPNEL_LAYOUT(grapnel_operator_info, argument_count, 4);
GRAPNEL_LAYOUT(grapnel_operator_info, arguments, 8);
GRAPNEL_LAYOUT(grapnel_operator_info, result_count, 16);
GRAPNEL_LAYOUT(grapnel_operator_info, schema, 24);
GRAPNEL_SIZE(grapnel_aten, 40);
GRAPNEL_LAYOUT(grapnel_aten, reserved, 4);
GRAPNEL_LAYOUT(grapnel_aten, find, 8);
GRAPNEL_LAYOUT(grapnel_aten, call, 16);
GRAPNEL_LAYOUT(grapnel_aten, describe, 24);
GRAPNEL_LAYOUT(grapnel_aten, call_named, 32);

/* autograd.h */
GRAPNEL_SIZE(grapnel_autograd, 40);
GRAPNEL_LAYOUT(grapnel_autograd, reserved, 4);
GRAPNEL_LAYOUT(grapnel_autograd, begin_recording, 8);
GRAPNEL_LAYOUT(grapnel_autograd, end_recording, 16);
GRAPNEL_LAYOUT(grapnel_autograd, step_loss, 24);
GRAPNEL_LAYOUT(grapnel_autograd, add_term, 32);

/* batch.h */
#if GRAPNEL_ABI_TARGET >= 5
GRAPNEL_SIZE(grapnel_batches, 56);
GRAPNEL_LAYOUT(grapnel_batches, describe, 48);
#else
GRAPNEL_SIZE(grapnel_batches, 48);
#endif
GRAPNEL_LAYOUT(grapnel_batches, reserved, 4);
GRAPNEL_LAYOUT(grapnel_batches, count, 8);
GRAPNEL_LAYOUT(grapnel_batches, name, 16);
GRAPNEL_LAYOUT(grapnel_batches, get, 24);
GRAPNEL_LAYOUT(grapnel_batches, replace, 32);
GRAPNEL_LAYOUT(grapnel_batches, sample_indices, 40);

/* checkpoint.h */
GRAPNEL_SIZE(grapnel_checkpoint, 48);
GRAPNEL_LAYOUT(grapnel_checkpoint, reserved, 4);
GRAPNEL_LAYOUT(grapnel_checkpoint, last, 8);
GRAPNEL_LAYOUT(grapnel_checkpoint, best, 16);
GRAPNEL_LAYOUT(grapnel_checkpoint, writing, 24);
GRAPNEL_LAYOUT(grapnel_checkpoint, pin, 32);
GRAPNEL_LAYOUT(grapnel_checkpoint, unpin, 40);

/* device.h */
GRAPNEL_SIZE(grapnel_device_info, 32);
GRAPNEL_LAYOUT(grapnel_device_info, type, 4);
GRAPNEL_LAYOUT(grapnel_device_info, index, 8);
GRAPNEL_LAYOUT(grapnel_device_info, reserved, 12);
GRAPNEL_LAYOUT(grapnel_device_info, name, 16);
GRAPNEL_SIZE(grapnel_device, 40);
GRAPNEL_LAYOUT(grapnel_device, reserved, 4);
GRAPNEL_LAYOUT(grapnel_device, info, 8);
GRAPNEL_LAYOUT(grapnel_device, memory, 16);
GRAPNEL_LAYOUT(grapnel_device, utilization, 24);
GRAPNEL_LAYOUT(grapnel_device, process_memory, 32);

/* distributed.h */
GRAPNEL_SIZE(grapnel_process_info, 32);
GRAPNEL_LAYOUT(grapnel_process_info, reserved, 4);
GRAPNEL_LAYOUT(grapnel_process_info, rank, 8);
GRAPNEL_LAYOUT(grapnel_process_info, world_size, 16);
GRAPNEL_LAYOUT(grapnel_process_info, local_rank, 24);
GRAPNEL_SIZE(grapnel_distributed, 40);
GRAPNEL_LAYOUT(grapnel_distributed, reserved, 4);
GRAPNEL_LAYOUT(grapnel_distributed, info, 8);
GRAPNEL_LAYOUT(grapnel_distributed, barrier, 16);
GRAPNEL_LAYOUT(grapnel_distributed, all_reduce, 24);
GRAPNEL_LAYOUT(grapnel_distributed, broadcast, 32);

/* event.h */
GRAPNEL_SIZE(grapnel_event_argument, 56);
GRAPNEL_LAYOUT(grapnel_event_argument, flags, 4);
GRAPNEL_LAYOUT(grapnel_event_argument, name, 8);
GRAPNEL_LAYOUT(grapnel_event_argument, type, 24);
GRAPNEL_LAYOUT(grapnel_event_argument, reserved, 28);
GRAPNEL_LAYOUT(grapnel_event_argument, default_value, 32);
GRAPNEL_SIZE(grapnel_event_handler, 40);
GRAPNEL_LAYOUT(grapnel_event_handler, argument_count, 4);
GRAPNEL_LAYOUT(grapnel_event_handler, event, 8);
GRAPNEL_LAYOUT(grapnel_event_handler, arguments, 24);
GRAPNEL_LAYOUT(grapnel_event_handler, call, 32);
GRAPNEL_SIZE(grapnel_event_handlers, 24);
GRAPNEL_LAYOUT(grapnel_event_handlers, reserved, 4);
GRAPNEL_LAYOUT(grapnel_event_handlers, count, 8);
GRAPNEL_LAYOUT(grapnel_event_handlers, handler, 16);

GRAPNEL_SIZE(grapnel_event_support, 8);

/* log.h */
GRAPNEL_SIZE(grapnel_log, 24);
GRAPNEL_LAYOUT(grapnel_log, reserved, 4);
GRAPNEL_LAYOUT(grapnel_log, write, 8);
GRAPNEL_LAYOUT(grapnel_log, once, 16);

/* metrics.h */
GRAPNEL_SIZE(grapnel_metric_options, 16);
GRAPNEL_LAYOUT(grapnel_metric_options, flags, 4);
GRAPNEL_LAYOUT(grapnel_metric_options, batch_size, 8);
GRAPNEL_SIZE(grapnel_metrics, 48);
GRAPNEL_LAYOUT(grapnel_metrics, reserved, 4);
GRAPNEL_LAYOUT(grapnel_metrics, log_f64, 8);
GRAPNEL_LAYOUT(grapnel_metrics, log_tensor, 16);
GRAPNEL_LAYOUT(grapnel_metrics, get, 24);
GRAPNEL_LAYOUT(grapnel_metrics, count, 32);
GRAPNEL_LAYOUT(grapnel_metrics, name, 40);

/* metrics_sink.h */
GRAPNEL_SIZE(grapnel_metric_record, 56);
GRAPNEL_LAYOUT(grapnel_metric_record, flags, 4);
GRAPNEL_LAYOUT(grapnel_metric_record, name, 8);
GRAPNEL_LAYOUT(grapnel_metric_record, value, 24);
GRAPNEL_LAYOUT(grapnel_metric_record, step, 32);
GRAPNEL_LAYOUT(grapnel_metric_record, epoch, 40);
GRAPNEL_LAYOUT(grapnel_metric_record, time, 48);
GRAPNEL_SIZE(grapnel_hyperparameter, 48);
GRAPNEL_LAYOUT(grapnel_hyperparameter, reserved, 4);
GRAPNEL_LAYOUT(grapnel_hyperparameter, name, 8);
GRAPNEL_LAYOUT(grapnel_hyperparameter, value, 24);
GRAPNEL_SIZE(grapnel_metrics_sink, 40);
GRAPNEL_LAYOUT(grapnel_metrics_sink, reserved, 4);
GRAPNEL_LAYOUT(grapnel_metrics_sink, begin, 8);
GRAPNEL_LAYOUT(grapnel_metrics_sink, hyperparameters, 16);
GRAPNEL_LAYOUT(grapnel_metrics_sink, write, 24);
GRAPNEL_LAYOUT(grapnel_metrics_sink, end, 32);
GRAPNEL_SIZE(grapnel_metrics_sink_support, 8);

/* module.h */
GRAPNEL_SIZE(grapnel_module_entry, 40);
GRAPNEL_LAYOUT(grapnel_module_entry, trainable, 4);
GRAPNEL_LAYOUT(grapnel_module_entry, name, 8);
GRAPNEL_LAYOUT(grapnel_module_entry, tensor, 24);
GRAPNEL_LAYOUT(grapnel_module_entry, mask, 32);
#if GRAPNEL_ABI_TARGET >= 5
GRAPNEL_SIZE(grapnel_module, 80);
#else
GRAPNEL_SIZE(grapnel_module, 72);
#endif
GRAPNEL_LAYOUT(grapnel_module, reserved, 4);
GRAPNEL_LAYOUT(grapnel_module, generation, 8);
GRAPNEL_LAYOUT(grapnel_module, count, 16);
GRAPNEL_LAYOUT(grapnel_module, entry, 24);
GRAPNEL_LAYOUT(grapnel_module, grad, 32);
GRAPNEL_LAYOUT(grapnel_module, lease_weights, 40);
GRAPNEL_LAYOUT(grapnel_module, end_lease, 48);
GRAPNEL_LAYOUT(grapnel_module, flops_per_batch, 56);
GRAPNEL_LAYOUT(grapnel_module, freeze, 64);
#if GRAPNEL_ABI_TARGET >= 5
GRAPNEL_LAYOUT(grapnel_module, forward, 72);
#endif

/* optimizers.h */
GRAPNEL_SIZE(grapnel_optimizer_group, 40);
GRAPNEL_LAYOUT(grapnel_optimizer_group, option_count, 4);
GRAPNEL_LAYOUT(grapnel_optimizer_group, name, 8);
GRAPNEL_LAYOUT(grapnel_optimizer_group, parameter_count, 24);
GRAPNEL_LAYOUT(grapnel_optimizer_group, reserved, 32);
GRAPNEL_SIZE(grapnel_optimizers, 72);
GRAPNEL_LAYOUT(grapnel_optimizers, reserved, 4);
GRAPNEL_LAYOUT(grapnel_optimizers, count, 8);
GRAPNEL_LAYOUT(grapnel_optimizers, name, 16);
GRAPNEL_LAYOUT(grapnel_optimizers, group_count, 24);
GRAPNEL_LAYOUT(grapnel_optimizers, group, 32);
GRAPNEL_LAYOUT(grapnel_optimizers, option_name, 40);
GRAPNEL_LAYOUT(grapnel_optimizers, get_option, 48);
GRAPNEL_LAYOUT(grapnel_optimizers, set_option, 56);
GRAPNEL_LAYOUT(grapnel_optimizers, gradients_are_unscaled, 64);

/* outputs.h */
GRAPNEL_SIZE(grapnel_step_outputs, 48);
GRAPNEL_LAYOUT(grapnel_step_outputs, reserved, 4);
GRAPNEL_LAYOUT(grapnel_step_outputs, loss, 8);
GRAPNEL_LAYOUT(grapnel_step_outputs, loss_tensor, 16);
GRAPNEL_LAYOUT(grapnel_step_outputs, count, 24);
GRAPNEL_LAYOUT(grapnel_step_outputs, name, 32);
GRAPNEL_LAYOUT(grapnel_step_outputs, get, 40);

/* params.h */
GRAPNEL_SIZE(grapnel_params, 80);
GRAPNEL_LAYOUT(grapnel_params, reserved, 4);
GRAPNEL_LAYOUT(grapnel_params, get_i64, 8);
GRAPNEL_LAYOUT(grapnel_params, get_f64, 16);
GRAPNEL_LAYOUT(grapnel_params, get_bool, 24);
GRAPNEL_LAYOUT(grapnel_params, get_string, 32);
GRAPNEL_LAYOUT(grapnel_params, list_size, 40);
GRAPNEL_LAYOUT(grapnel_params, list_i64, 48);
GRAPNEL_LAYOUT(grapnel_params, list_f64, 56);
GRAPNEL_LAYOUT(grapnel_params, list_string, 64);
GRAPNEL_LAYOUT(grapnel_params, list_bool, 72);

/* plugin.h */
GRAPNEL_SIZE(grapnel_plugin_info, 104);
GRAPNEL_LAYOUT(grapnel_plugin_info, reserved, 4);
GRAPNEL_LAYOUT(grapnel_plugin_info, id, 8);
GRAPNEL_LAYOUT(grapnel_plugin_info, version, 24);
GRAPNEL_LAYOUT(grapnel_plugin_info, callback, 40);
GRAPNEL_LAYOUT(grapnel_plugin_info, label, 56);
GRAPNEL_LAYOUT(grapnel_plugin_info, origin_directory, 72);
GRAPNEL_LAYOUT(grapnel_plugin_info, libtorch_version, 88);
GRAPNEL_SIZE(grapnel_plugin_services, 24);
GRAPNEL_LAYOUT(grapnel_plugin_services, reserved, 4);
GRAPNEL_LAYOUT(grapnel_plugin_services, info, 8);
GRAPNEL_LAYOUT(grapnel_plugin_services, data_directory, 16);

/* request.h */
GRAPNEL_SIZE(grapnel_request, 16);
GRAPNEL_LAYOUT(grapnel_request, reserved, 4);
GRAPNEL_LAYOUT(grapnel_request, request, 8);

/* schedule.h */
GRAPNEL_SIZE(grapnel_schedule, 32);
GRAPNEL_LAYOUT(grapnel_schedule, reserved, 4);
GRAPNEL_LAYOUT(grapnel_schedule, set_factor, 8);
GRAPNEL_LAYOUT(grapnel_schedule, get_factor, 16);
GRAPNEL_LAYOUT(grapnel_schedule, rate, 24);

/* state.h */
GRAPNEL_SIZE(grapnel_state_writer, 56);
GRAPNEL_LAYOUT(grapnel_state_writer, reserved, 4);
GRAPNEL_LAYOUT(grapnel_state_writer, put_tensor, 8);
GRAPNEL_LAYOUT(grapnel_state_writer, put_array, 16);
GRAPNEL_LAYOUT(grapnel_state_writer, put_i64, 24);
GRAPNEL_LAYOUT(grapnel_state_writer, put_f64, 32);
GRAPNEL_LAYOUT(grapnel_state_writer, put_string, 40);
GRAPNEL_LAYOUT(grapnel_state_writer, put_bytes, 48);
GRAPNEL_SIZE(grapnel_state_reader, 88);
GRAPNEL_LAYOUT(grapnel_state_reader, reserved, 4);
GRAPNEL_LAYOUT(grapnel_state_reader, version, 8);
GRAPNEL_LAYOUT(grapnel_state_reader, get_tensor, 24);
GRAPNEL_LAYOUT(grapnel_state_reader, get_i64, 32);
GRAPNEL_LAYOUT(grapnel_state_reader, get_f64, 40);
GRAPNEL_LAYOUT(grapnel_state_reader, get_string, 48);
GRAPNEL_LAYOUT(grapnel_state_reader, get_bytes, 56);
GRAPNEL_LAYOUT(grapnel_state_reader, count, 64);
GRAPNEL_LAYOUT(grapnel_state_reader, key, 72);
GRAPNEL_LAYOUT(grapnel_state_reader, type, 80);
GRAPNEL_SIZE(grapnel_state, 32);
GRAPNEL_LAYOUT(grapnel_state, reserved, 4);
GRAPNEL_LAYOUT(grapnel_state, key, 8);
GRAPNEL_LAYOUT(grapnel_state, save, 16);
GRAPNEL_LAYOUT(grapnel_state, load, 24);

GRAPNEL_SIZE(grapnel_state_support, 8);

/* tensors.h */
GRAPNEL_SIZE(grapnel_tensor_info, 64);
GRAPNEL_LAYOUT(grapnel_tensor_info, dtype, 4);
GRAPNEL_LAYOUT(grapnel_tensor_info, device_type, 8);
GRAPNEL_LAYOUT(grapnel_tensor_info, device_index, 12);
GRAPNEL_LAYOUT(grapnel_tensor_info, ndim, 16);
GRAPNEL_LAYOUT(grapnel_tensor_info, sizes, 24);
GRAPNEL_LAYOUT(grapnel_tensor_info, strides, 32);
GRAPNEL_LAYOUT(grapnel_tensor_info, numel, 40);
GRAPNEL_LAYOUT(grapnel_tensor_info, data, 48);
GRAPNEL_LAYOUT(grapnel_tensor_info, layout, 56);
GRAPNEL_LAYOUT(grapnel_tensor_info, reserved, 60);
GRAPNEL_SIZE(grapnel_tensors, 72);
GRAPNEL_LAYOUT(grapnel_tensors, reserved, 4);
GRAPNEL_LAYOUT(grapnel_tensors, describe, 8);
GRAPNEL_LAYOUT(grapnel_tensors, retain, 16);
GRAPNEL_LAYOUT(grapnel_tensors, release, 24);
GRAPNEL_LAYOUT(grapnel_tensors, to_f64, 32);
GRAPNEL_LAYOUT(grapnel_tensors, read, 40);
GRAPNEL_LAYOUT(grapnel_tensors, begin_write, 48);
GRAPNEL_LAYOUT(grapnel_tensors, end_write, 56);
GRAPNEL_LAYOUT(grapnel_tensors, from_data, 64);

/* terminal.h */
GRAPNEL_SIZE(grapnel_terminal_info, 24);
GRAPNEL_LAYOUT(grapnel_terminal_info, is_terminal, 4);
GRAPNEL_LAYOUT(grapnel_terminal_info, columns, 8);
GRAPNEL_LAYOUT(grapnel_terminal_info, utf8, 12);
GRAPNEL_LAYOUT(grapnel_terminal_info, colors, 16);
GRAPNEL_SIZE(grapnel_terminal_line, 40);
GRAPNEL_LAYOUT(grapnel_terminal_line, reserved, 4);
GRAPNEL_LAYOUT(grapnel_terminal_line, text, 8);
GRAPNEL_LAYOUT(grapnel_terminal_line, style, 24);
GRAPNEL_SIZE(grapnel_terminal, 32);
GRAPNEL_LAYOUT(grapnel_terminal, reserved, 4);
GRAPNEL_LAYOUT(grapnel_terminal, info, 8);
GRAPNEL_LAYOUT(grapnel_terminal, print, 16);
GRAPNEL_LAYOUT(grapnel_terminal, draw, 24);

/* thread.h */
GRAPNEL_SIZE(grapnel_posted, 8);
GRAPNEL_SIZE(grapnel_thread, 16);
GRAPNEL_LAYOUT(grapnel_thread, reserved, 4);
GRAPNEL_LAYOUT(grapnel_thread, post, 8);

/* timing.h */
GRAPNEL_SIZE(grapnel_timing, 40);
GRAPNEL_LAYOUT(grapnel_timing, reserved, 4);
GRAPNEL_LAYOUT(grapnel_timing, phase, 8);
GRAPNEL_LAYOUT(grapnel_timing, total, 16);
GRAPNEL_LAYOUT(grapnel_timing, count, 24);
GRAPNEL_LAYOUT(grapnel_timing, samples_per_second, 32);

/* trainer.h */
GRAPNEL_SIZE(grapnel_trainer_state, 112);
GRAPNEL_LAYOUT(grapnel_trainer_state, run, 4);
GRAPNEL_LAYOUT(grapnel_trainer_state, stage, 8);
GRAPNEL_LAYOUT(grapnel_trainer_state, sanity_checking, 12);
GRAPNEL_LAYOUT(grapnel_trainer_state, global_step, 16);
GRAPNEL_LAYOUT(grapnel_trainer_state, current_epoch, 24);
GRAPNEL_LAYOUT(grapnel_trainer_state, batch_idx, 32);
GRAPNEL_LAYOUT(grapnel_trainer_state, max_epochs, 40);
GRAPNEL_LAYOUT(grapnel_trainer_state, max_steps, 48);
GRAPNEL_LAYOUT(grapnel_trainer_state, max_time, 56);
GRAPNEL_LAYOUT(grapnel_trainer_state, num_training_batches, 64);
GRAPNEL_LAYOUT(grapnel_trainer_state, accumulate_grad_batches, 72);
GRAPNEL_LAYOUT(grapnel_trainer_state, is_last_batch, 80);
GRAPNEL_LAYOUT(grapnel_trainer_state, stop_requested, 84);
GRAPNEL_LAYOUT(grapnel_trainer_state, run_directory, 88);
GRAPNEL_LAYOUT(grapnel_trainer_state, is_logging_step, 104);
GRAPNEL_LAYOUT(grapnel_trainer_state, reserved, 108);
GRAPNEL_SIZE(grapnel_trainer, 16);
GRAPNEL_LAYOUT(grapnel_trainer, reserved, 4);
GRAPNEL_LAYOUT(grapnel_trainer, state, 8);

#endif /* GRAPNEL_EXT_LAYOUT_H_ */
