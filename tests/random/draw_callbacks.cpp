#include "draw_callbacks.h"

#include <grapnel/base/json.h>

namespace grapnel::random_test {

namespace {

ConfigValue span(Draw& draw, int64_t steps, int64_t epochs) {
  ConfigValue value;
  if (draw.chance(0.6)) {
    value.set("steps", draw.between(1, steps));
  } else {
    value.set("epochs", draw.between(1, epochs));
  }
  return value;
}

// Adds a filter to a callback's parameters.
void add_filter(Draw& draw, ConfigValue& parameters, const Surroundings& around) {
  const int64_t steps = around.batches * around.epochs;
  if (draw.chance(0.5)) parameters.set("every", span(draw, 4, 2));
  if (draw.chance(0.3)) parameters.set("after", span(draw, steps / 2 + 1, around.epochs - 1));
  if (draw.chance(0.2)) parameters.set("first", span(draw, steps, around.epochs));
  if (around.may_change_length && draw.chance(0.1)) {
    ConfigValue last;
    last.set("epochs", draw.between(1, 2));
    parameters.set("last", std::move(last));
  }
  if (draw.chance(0.1)) parameters.set("once", true);
}

std::string monitored(Draw& draw, const Surroundings& around) {
  if (!around.validates) return "loss_mean";
  return draw.one_of({"val_mean", "val_mean", "val_mean", "loss_mean"});
}

ConfigValue model_checkpoint(Draw& draw, const Surroundings& around) {
  ConfigValue value;
  value.set("dirpath", "$RUN/files");
  if (draw.chance(0.6)) value.set("monitor", monitored(draw, around));
  if (value.contains("monitor") && draw.chance(0.3)) value.set("mode", "max");
  if (draw.chance(0.5))
    value.set("save_top_k", draw.between(-1, value.contains("monitor") ? 3 : 1));
  if (draw.chance(0.5)) {
    value.set("save_last", draw.chance(0.5) ? ConfigValue("link") : ConfigValue(true));
  }
  if (draw.chance(0.3)) {
    value.set("filename", draw.one_of({"{epoch}-{step}-{loss_mean:.3f}", "{epoch}", "best",
                                       "{step}-{val_mean:.4f}"}));
  }
  switch (draw.between(0, 4)) {
    case 0:
      value.set("every_n_train_steps", draw.between(1, 7));
      break;
    case 1:
      value.set("every_n_epochs", draw.between(1, 3));
      break;
    case 2:
      value.set("every_n_epochs", int64_t{10});
      break;
    case 3:
      value.set("train_time_interval", draw.between(1, 9));
      break;
    default:
      break;
  }
  if (draw.chance(0.3)) value.set("save_on_train_epoch_end", draw.chance(0.5));
  if (draw.chance(0.2)) value.set("save_weights_only", true);
  if (draw.chance(0.2)) value.set("enable_version_counter", false);
  return value;
}

ConfigValue early_stopping(Draw& draw, const Surroundings& around) {
  ConfigValue value;
  value.set("monitor", monitored(draw, around));
  value.set("patience", draw.between(0, 2));
  if (draw.chance(0.5)) value.set("min_delta", draw.share() * 0.3);
  if (draw.chance(0.2)) value.set("mode", "max");
  if (draw.chance(0.3)) value.set("restore_best_weights", true);
  if (draw.chance(0.3)) value.set("check_on_train_epoch_end", draw.chance(0.5));
  if (draw.chance(0.2)) value.set("start_from_epoch", draw.between(0, 2));
  return value;
}

ConfigValue ema_weight_averaging(Draw& draw, const Surroundings& around) {
  ConfigValue value;
  value.set("decay", 0.4 + 0.5 * draw.share());
  if (draw.chance(0.5)) value.set("update_every_n_steps", draw.between(0, 3));
  if (draw.chance(0.3)) value.set("update_starting_at_step", draw.between(0, around.batches));
  const bool epochs_alone =
      value.contains("update_every_n_steps") && value.at("update_every_n_steps").as_int() == 0;
  if (epochs_alone || draw.chance(0.3)) value.set("update_starting_at_epoch", draw.between(0, 1));
  if (draw.chance(0.3)) value.set("use_buffers", false);
  return value;
}

ConfigValue stochastic_weight_averaging(Draw& draw, const Surroundings& around) {
  ConfigValue value;
  value.set("swa_lrs", 0.01 + 0.02 * draw.share());
  value.set("swa_epoch_start", draw.between(1, around.epochs - 1));
  value.set("annealing_epochs", draw.between(0, 3));
  if (draw.chance(0.5)) value.set("annealing_strategy", "linear");
  return value;
}

ConfigValue model_pruning(Draw& draw) {
  ConfigValue value;
  value.set("pruning_fn", draw.one_of({"l1_unstructured", "random_unstructured"}));
  value.set("amount", 0.1 + 0.2 * draw.share());
  if (draw.chance(0.3)) value.set("use_global_unstructured", false);
  if (draw.chance(0.4)) value.set("use_lottery_ticket_hypothesis", false);
  if (draw.chance(0.3)) value.set("make_pruning_permanent", false);
  if (draw.chance(0.2)) value.set("prune_on_train_epoch_end", false);
  if (draw.chance(0.2)) value.set("resample_parameters", true);
  return value;
}

ConfigValue backbone_finetuning(Draw& draw) {
  ConfigValue value;
  value.set("unfreeze_backbone_at_epoch", draw.between(1, 2));
  if (draw.chance(0.5)) value.set("lambda_func", 1.0 + draw.share());
  if (draw.chance(0.3)) value.set("train_bn", false);
  if (draw.chance(0.3)) value.set("should_align", false);
  if (draw.chance(0.3)) value.set("backbone_initial_lr", 0.003);
  return value;
}

}  // namespace

ConfigValue draw_callbacks(Draw& draw, const Surroundings& around) {
  ConfigValue all = ConfigValue::object();
  if (draw.chance(0.5)) {
    ConfigValue counter = ConfigValue::object();
    if (draw.chance(0.7)) add_filter(draw, counter, around);
    all.set("counter", std::move(counter));
  }
  switch (draw.between(0, 8)) {  // mostly at most one average
    case 0:
    case 1:
      all.set("ema_weight_averaging", ema_weight_averaging(draw, around));
      break;
    case 2:
      all.set("weight_averaging", ConfigValue::object());
      break;
    case 3:
      if (!around.manual && around.may_change_length) {
        all.set("stochastic_weight_averaging", stochastic_weight_averaging(draw, around));
      }
      break;
    default:
      break;
  }
  if (draw.chance(0.15)) all.set("model_pruning", model_pruning(draw));
  if (!around.manual && draw.chance(0.15)) {
    all.set("backbone_finetuning", backbone_finetuning(draw));
  }
  if (draw.chance(0.15)) all.set("early_stopping", early_stopping(draw, around));
  if (!around.manual && around.may_accumulate && draw.chance(0.1)) {
    ConfigValue schedule;
    for (int64_t epoch = draw.between(0, 1); epoch < around.epochs; epoch += 2) {
      schedule.set(std::to_string(epoch), draw.between(1, 3));
    }
    ConfigValue parameters;
    parameters.set("scheduling", std::move(schedule));
    all.set("gradient_accumulation_scheduler", std::move(parameters));
  }
  if (draw.chance(0.25)) {
    ConfigValue parameters = ConfigValue::object();
    if (draw.chance(0.5)) parameters.set("logging_interval", draw.one_of({"step", "epoch"}));
    if (draw.chance(0.5)) parameters.set("log_momentum", true);
    if (draw.chance(0.3)) add_filter(draw, parameters, around);
    all.set("learning_rate_monitor", std::move(parameters));
  }
  if (draw.chance(0.1)) {
    ConfigValue parameters = ConfigValue::object();
    if (around.may_change_length && draw.chance(0.5)) {
      parameters.set("duration", draw.between(2, around.batches * around.epochs));
    }
    if (draw.chance(0.3)) parameters.set("interval", "epoch");
    all.set("timer", std::move(parameters));
  }
  if (draw.chance(0.1)) {
    ConfigValue parameters = ConfigValue::object();
    parameters.set("exclude_batches_path", "$RUN/spikes.json");
    if (draw.chance(0.5)) parameters.set("window", draw.between(2, 5));
    all.set("spike_detection", std::move(parameters));
  }
  if (draw.chance(0.05)) {
    ConfigValue parameters;
    parameters.set("window_size", draw.between(2, 5));
    all.set("throughput_monitor", std::move(parameters));
  }
  if (draw.chance(0.1)) {
    ConfigValue parameters = ConfigValue::object();
    if (draw.chance(0.5)) parameters.set("every_n_steps", draw.between(1, 4));
    if (draw.chance(0.3)) add_filter(draw, parameters, around);
    all.set("activation_monitor", std::move(parameters));
  }
  if (draw.chance(0.3)) all.set("model_checkpoint", model_checkpoint(draw, around));
  return all;
}

ConfigValue draw_plugins(Draw& draw, const Surroundings& around) {
  ConfigValue all = ConfigValue::object();
  if (draw.chance(0.1)) {
    ConfigValue parameters;
    parameters.set("decay", 0.4 + 0.5 * draw.share());
    if (draw.chance(0.3)) parameters.set("update_every_n_steps", draw.between(1, 3));
    if (draw.chance(0.3)) parameters.set("warm_up", true);
    if (draw.chance(0.3)) parameters.set("copy_to_model_at_end", false);
    all.set("ema", std::move(parameters));
  }
  if (draw.chance(0.08)) {
    ConfigValue parameters = ConfigValue::object();
    if (draw.chance(0.5)) parameters.set("every_n_steps", draw.between(1, 4));
    if (draw.chance(0.3)) add_filter(draw, parameters, around);
    all.set("grad_norm", std::move(parameters));
  }
  if (draw.chance(0.05)) all.set("nan_guard", ConfigValue::object());
  if (draw.chance(0.05)) {
    ConfigValue parameters;
    parameters.set("limit", 0.5 + 3 * draw.share());
    all.set("loss_limit", std::move(parameters));
  }
  if (draw.chance(0.08)) {
    ConfigValue parameters = ConfigValue::object();
    if (draw.chance(0.5)) parameters.set("every_n_steps", draw.between(1, 4));
    if (draw.chance(0.3)) parameters.set("update_ratio", "per_parameter");
    all.set("optimizer_monitor", std::move(parameters));
  }
  if (draw.chance(0.08)) {
    ConfigValue parameters;
    parameters.set("monitor", monitored(draw, around));
    parameters.set("filename", "$RUN/files/best.safetensors");
    all.set("best_model_exporter", std::move(parameters));
  }
  if (draw.chance(0.03)) all.set("run_time_estimator", ConfigValue::object());
  if (draw.chance(0.03)) all.set("data_wait_monitor", ConfigValue::object());
  if (draw.chance(0.03)) all.set("memory_observer", ConfigValue::object());
  if (draw.chance(0.08)) {
    ConfigValue parameters;
    parameters.set("steps", draw.between(1, 12));
    if (draw.chance(0.5)) parameters.set("shape", "cosine");
    all.set("warmup", std::move(parameters));
  }
  if (draw.chance(0.08)) {
    ConfigValue parameters;
    parameters.set("clip_val", 0.1 + draw.share());
    if (draw.chance(0.5)) parameters.set("noise", 0.1);
    if (draw.chance(0.3)) parameters.set("algorithm", "value");
    all.set("gradient_clipping", std::move(parameters));
  }
  if (draw.chance(0.08)) {
    ConfigValue parameters;
    parameters.set(draw.chance(0.5) ? "l1" : "l2", 0.01);
    all.set("weight_penalty", std::move(parameters));
  }
  return all;
}

ConfigValue draw_loggers(Draw& draw) {
  ConfigValue all = ConfigValue::object();
  for (const char* name : {"csv", "json_lines"}) {
    if (!draw.chance(0.4)) continue;
    ConfigValue parameters;
    parameters.set("save_dir", "$RUN");
    parameters.set("name", name);
    parameters.set("version", "log");
    all.set(name, std::move(parameters));
  }
  return all;
}

}  // namespace grapnel::random_test
