#include "plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "draw.h"
#include "draw_callbacks.h"

namespace grapnel::random_test {

namespace {

ConfigValue draw_model(Draw& draw) {
  ConfigValue model;
  model.set("hidden", draw.between(3, 6));
  if (draw.chance(0.4)) model.set("batch_norm", true);
  if (draw.chance(0.35)) model.set("dropout", 0.1 + 0.3 * draw.share());
  if (draw.chance(0.12)) model.set("optimizers", int64_t{2});
  if (draw.chance(0.12)) model.set("no_loss_every", draw.between(3, 5));
  if (draw.chance(0.1)) model.set("skip_batch_every", draw.between(3, 5));
  if (draw.chance(0.1)) model.set("skip_step_every", draw.between(2, 4));
  if (draw.chance(0.08)) model.set("end_epoch_at", draw.between(2, 5));
  if (draw.chance(0.08)) model.set("evaluate_at", draw.between(0, 4));
  if (draw.chance(0.4)) model.set("log_more", true);
  if (draw.chance(0.1)) model.set("log_at_batch_end", true);
  return model;
}

ConfigValue draw_optimizer(Draw& draw) {
  ConfigValue optimizer;
  const std::string name = draw.one_of({"SGD", "SGD", "Adam", "AdamW", "RMSprop", "Adagrad"});
  optimizer.set("name", name);
  optimizer.set("lr", 0.01 + 0.04 * draw.share());
  if ((name == "SGD" || name == "RMSprop") && draw.chance(0.5)) optimizer.set("momentum", 0.8);
  if (name == "AdamW" && draw.chance(0.5)) optimizer.set("amsgrad", true);
  if (draw.chance(0.3)) optimizer.set("weight_decay", 0.01);
  return optimizer;
}

ConfigValue draw_scheduler(Draw& draw, bool validates) {
  ConfigValue scheduler;
  const std::string name =
      draw.one_of({"StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "CosineAnnealingLR",
                   "CosineAnnealingWarmRestarts", "OneCycleLR", "CyclicLR", "PolynomialLR",
                   "ReduceLROnPlateau", "ReduceLROnPlateau"});
  scheduler.set("name", name);
  const std::string interval = draw.one_of({"epoch", "step"});
  if (name == "StepLR") scheduler.set("step_size", draw.between(1, 3));
  if (name == "MultiStepLR") scheduler.set("milestones", std::vector<int64_t>{2, 4, 9});
  if (name == "ExponentialLR") scheduler.set("gamma", 0.9);
  if (name == "LinearLR" || name == "PolynomialLR")
    scheduler.set("total_iters", draw.between(2, 30));
  if (name == "CosineAnnealingLR") scheduler.set("T_max", draw.between(3, 20));
  if (name == "CosineAnnealingWarmRestarts") scheduler.set("T_0", draw.between(2, 7));
  if (name == "OneCycleLR") {
    scheduler.set("max_lr", 0.05);
    scheduler.set("total_steps", int64_t{400});
    scheduler.set("cycle_momentum", false);
  }
  if (name == "CyclicLR") {
    scheduler.set("base_lr", 0.01);
    scheduler.set("max_lr", 0.05);
    scheduler.set("step_size_up", draw.between(2, 6));
    scheduler.set("cycle_momentum", false);
  }
  if (name == "ReduceLROnPlateau") {
    scheduler.set("factor", 0.5);
    scheduler.set("patience", draw.between(0, 1));
    scheduler.set("threshold", 0.2 * draw.share());
    if (interval == "step") {
      scheduler.set("monitor", "loss");
    } else {
      scheduler.set("monitor", validates ? draw.one_of({"val_mean", "loss_mean"}) : "loss_mean");
    }
    if (draw.chance(0.3)) scheduler.set("strict", false);
  }
  scheduler.set("interval", interval);
  if (draw.chance(0.25)) scheduler.set("frequency", draw.between(2, 3));
  return scheduler;
}

// Also tells how many batches an epoch has.
ConfigValue draw_data(Draw& draw, int64_t& batches) {
  ConfigValue data;
  const std::string kind = draw.one_of(
      {"tensors", "tensors", "tensors", "function", "stream", "min_size", "max_size_cycle"});
  if (kind != "tensors") data.set("kind", kind);
  const int64_t batch_size = draw.between(2, 4);
  batches = draw.between(3, 8);
  // The last batch is never one sample, which batch normalization refuses.
  int64_t samples = batches * batch_size;
  if (batch_size > 2 && draw.chance(0.4)) samples -= batch_size - 2;
  data.set("batch_size", batch_size);
  data.set("samples", samples);
  if (draw.chance(0.5)) data.set("shuffle", true);
  if (draw.chance(0.2)) data.set("drop_last", true);
  if (data.contains("drop_last") && samples % batch_size != 0) --batches;
  if (draw.chance(0.85)) {
    ConfigValue validation = ConfigValue::array();
    const int64_t loaders = draw.chance(0.3) ? draw.between(2, 3) : 1;
    for (int64_t i = 0; i < loaders; ++i) validation.append(draw.between(2, 9));
    data.set("validation", std::move(validation));
  }
  return data;
}

ConfigValue draw_trainer(Draw& draw, const Surroundings& around, bool unknown_length) {
  ConfigValue trainer;
  trainer.set("max_epochs", around.epochs);
  trainer.set("log_every_n_steps", draw.one_of(std::vector<int64_t>{1, 1, 2, 3, 7}));
  const bool counts_over_epochs = around.validates && draw.chance(0.12);
  if (counts_over_epochs) {
    trainer.set("check_val_every_n_epoch", nullptr);
    trainer.set("val_check_interval", draw.between(2, around.batches + 3));
  } else if (around.validates) {
    if (draw.chance(0.2)) trainer.set("check_val_every_n_epoch", draw.between(2, 3));
    if (draw.chance(0.3)) {
      if (unknown_length || draw.chance(0.5)) {
        trainer.set("val_check_interval", draw.between(1, around.batches));
      } else {
        trainer.set("val_check_interval", draw.one_of(std::vector<double>{0.34, 0.5, 0.75}));
      }
    }
  }
  const bool fixed_interval = trainer.contains("val_check_interval");
  if (!fixed_interval && draw.chance(0.15)) {
    trainer.set("limit_train_batches", draw.between(2, around.batches));
  }
  if (around.validates && draw.chance(0.15)) trainer.set("limit_val_batches", draw.between(1, 2));
  if (draw.chance(0.3)) {
    trainer.set("num_sanity_val_steps", draw.one_of(std::vector<int64_t>{0, 1, -1}));
  }
  if (!around.manual && !around.may_accumulate) {
    trainer.set("accumulate_grad_batches", draw.between(2, 4));
  }
  if (!around.manual && draw.chance(0.2)) {
    trainer.set("gradient_clip_val", 0.5);
    if (draw.chance(0.3)) trainer.set("gradient_clip_algorithm", "value");
  }
  if (draw.chance(0.15)) trainer.set("precision", draw.one_of({"64-true", "bf16-mixed"}));
  if (draw.chance(0.1)) trainer.set("min_epochs", draw.between(1, around.epochs));
  if (draw.chance(0.1)) trainer.set("min_steps", draw.between(1, around.batches * 2));
  if (draw.chance(0.1)) trainer.set("reload_dataloaders_every_n_epochs", draw.between(1, 2));
  if (around.may_change_length && draw.chance(0.1)) {
    trainer.set("max_steps", draw.between(around.batches, around.batches * around.epochs));
  }
  if (draw.chance(0.1)) trainer.set("inference_mode", false);
  return trainer;
}

bool is_limit(std::string_view kind) {
  return kind == "max_steps" || kind == "max_epochs" || kind == "max_time";
}
bool has_hook(std::string_view kind) {
  return !is_limit(kind) && kind != "kill_file";
}

std::string draw_hook(Draw& draw, std::string_view kind, bool validates) {
  // Not where a checkpoint would be written within a batch: see Run's notes in run_checkpoint.cpp.
  std::vector<const char*> hooks = {"on_train_batch_end", "on_train_batch_end",
                                    "on_train_epoch_end", "on_train_epoch_start"};
  if (validates) hooks.insert(hooks.end(), {"on_validation_end", "on_validation_start"});
  if (kind == "exception" || kind == "interrupt" || kind == "kill_hook") {
    if (validates) {
      hooks.insert(hooks.end(), {"on_validation_batch_start", "on_validation_batch_end",
                                 "on_validation_epoch_end"});
    }
    hooks.insert(hooks.end(),
                 {"on_train_batch_start", "on_before_backward", "on_after_backward",
                  "on_before_optimizer_step", "on_after_optimizer_step", "on_before_zero_grad"});
  }
  if (kind == "exception" || kind == "kill_hook") {
    hooks.insert(hooks.end(), {"on_train_start", "on_train_end", "on_fit_start", "on_fit_end",
                               "on_save_checkpoint"});
  }
  return draw.one_of(hooks);
}

ConfigValue draw_stops(Draw& draw, bool validates, const std::vector<std::string>& kinds) {
  ConfigValue stops = ConfigValue::array();
  std::vector<double> places;
  for (size_t i = 0; i < kinds.size(); ++i) places.push_back(draw.share());
  std::sort(places.begin(), places.end());
  for (size_t i = 0; i < kinds.size(); ++i) {
    ConfigValue stop;
    stop.set("kind", kinds[i]);
    if (has_hook(kinds[i])) stop.set("hook", draw_hook(draw, kinds[i], validates));
    stop.set("at", places[i]);
    stops.append(std::move(stop));
  }
  return stops;
}

// Writes what every stop but "checkpoint" is resumed from.
ConfigValue draw_keeper(Draw& draw, const std::vector<std::string>& kinds) {
  const bool only_failures = std::all_of(kinds.begin(), kinds.end(), [](const std::string& kind) {
    return kind == "exception" || kind == "interrupt";
  });
  ConfigValue keeper;
  if (only_failures && draw.chance(0.5)) {
    keeper.set("name", "on_exception_checkpoint");
    keeper.set("dirpath", "$RUN/kept");
    return keeper;
  }
  keeper.set("name", "model_checkpoint");
  keeper.set("dirpath", "$RUN/kept");
  keeper.set("save_on_exception", true);
  const bool killed = std::any_of(kinds.begin(), kinds.end(),
                                  [](const std::string& kind) { return kind.starts_with("kill"); });
  if (killed && draw.chance(0.7)) {
    keeper.set("every_n_train_steps", draw.between(1, 4));
  } else {
    keeper.set("every_n_epochs", int64_t{1});
    keeper.set("save_on_train_epoch_end", true);
  }
  if (draw.chance(0.5)) {
    keeper.set("save_last", draw.chance(0.5) ? ConfigValue("link") : ConfigValue(true));
  }
  return keeper;
}

std::vector<std::string> draw_kinds(Draw& draw, std::string_view only) {
  const size_t count = draw.chance(0.75) ? 1 : static_cast<size_t>(draw.between(2, 3));
  std::vector<std::string> kinds;
  // A limit ends a run whatever came before, so it goes with no other stop.
  for (size_t i = 0; i < count; ++i) {
    kinds.push_back(only.empty() ? draw.one_of(kinds_of_stop()) : std::string(only));
    if (is_limit(kinds.back())) return {kinds.back()};
  }
  // "checkpoint" throws away what the keeper of the others wrote meanwhile.
  if (std::count(kinds.begin(), kinds.end(), "checkpoint") > 0) {
    std::fill(kinds.begin(), kinds.end(), "checkpoint");
  }
  return kinds;
}

}  // namespace

int64_t Plan::integer(std::string_view path, int64_t fallback) const {
  const ConfigValue* value = find_by_path(document, path);
  return value == nullptr || value->is_null() ? fallback : value->as_int(path);
}
double Plan::number(std::string_view path, double fallback) const {
  const ConfigValue* value = find_by_path(document, path);
  return value == nullptr ? fallback : value->as_double(path);
}
bool Plan::flag(std::string_view path) const {
  const ConfigValue* value = find_by_path(document, path);
  return value != nullptr && value->as_bool(path);
}
std::string Plan::text(std::string_view path, std::string_view fallback) const {
  const ConfigValue* value = find_by_path(document, path);
  return value == nullptr ? std::string(fallback) : value->as_string(path);
}

const std::vector<std::string>& kinds_of_stop() {
  static const std::vector<std::string> kinds = {"checkpoint",   "exception", "interrupt",
                                                 "request_stop", "max_steps", "max_epochs",
                                                 "max_time",     "kill_file", "kill_hook"};
  return kinds;
}

std::vector<Stop> stops_of(const Plan& plan) {
  std::vector<Stop> stops;
  const ConfigValue* list = plan.document.find("stops");
  if (list == nullptr) return stops;
  for (const ConfigValue& stop : list->as_array()) {
    const ConfigValue* hook = stop.find("hook");
    stops.push_back({stop.at("kind").as_string(), hook == nullptr ? "" : hook->as_string(),
                     stop.at("at").as_double()});
  }
  return stops;
}

Plan draw_plan(uint64_t seed, int draw_number, std::string_view only_stop) {
  // The kind of stop that is asked for must not change the rest of the plan.
  Draw draw(seed * 1000003U + static_cast<uint64_t>(draw_number));
  Draw stops(draw.bits());
  const std::vector<std::string> kinds = draw_kinds(stops, only_stop);

  Plan plan{.seed = seed, .draw = draw_number, .only_stop = std::string(only_stop)};
  ConfigValue document;
  Surroundings around;
  document.set("model", draw_model(draw));
  around.manual = document.at("model").contains("optimizers");
  around.epochs = draw.between(2, 5);
  document.set("optimizer", draw_optimizer(draw));
  ConfigValue data = draw_data(draw, around.batches);
  around.validates = data.contains("validation");
  around.may_accumulate = !draw.chance(0.3);
  around.may_change_length = !is_limit(kinds[0]);
  const bool unknown_length = data.contains("kind") && data.at("kind") == ConfigValue("stream");
  if (!around.manual && draw.chance(0.5)) {
    document.set("scheduler", draw_scheduler(draw, around.validates));
  }
  document.set("data", std::move(data));
  document.set("trainer", draw_trainer(draw, around, unknown_length));
  document.set("callbacks", draw_callbacks(draw, around));
  document.set("plugins", draw_plugins(draw, around));
  document.set("loggers", draw_loggers(draw));
  document.set("probe", draw.share());
  if (kinds[0] != "checkpoint") document.set("keeper", draw_keeper(stops, kinds));
  document.set("stops", draw_stops(stops, around.validates, kinds));
  plan.document = std::move(document);
  return plan;
}

bool take_out(Plan& plan, const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string last = dot == std::string::npos ? path : path.substr(dot + 1);
  ConfigValue* parent = &plan.document;
  for (size_t begin = 0; dot != std::string::npos && begin < dot;) {
    const size_t end = std::min(path.find('.', begin), dot);
    parent = parent == nullptr ? nullptr : parent->find(path.substr(begin, end - begin));
    begin = end + 1;
  }
  if (parent == nullptr) return false;
  if (parent->is_array()) {
    ConfigValue::Array& items = parent->as_array();
    const size_t index = std::stoul(last);
    if (index >= items.size()) return false;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
  } else if (!parent->erase(last)) {
    return false;
  }
  plan.without.push_back(path);
  return true;
}

std::vector<std::string> pieces(const Plan& plan) {
  std::vector<std::string> all;
  for (const char* section : {"callbacks", "plugins", "loggers"}) {
    if (const ConfigValue* value = plan.document.find(section)) {
      for (const auto& member : value->as_object()) {
        all.push_back(fmt::format("{}.{}", section, member.key));
      }
    }
  }
  if (plan.has("scheduler")) all.emplace_back("scheduler");
  if (stops_of(plan).size() > 1) {
    for (size_t i = 0; i < stops_of(plan).size(); ++i) all.push_back(fmt::format("stops.{}", i));
  }
  for (const char* section : {"model", "data", "trainer", "optimizer"}) {
    if (const ConfigValue* value = plan.document.find(section)) {
      for (const auto& member : value->as_object()) {
        if (member.key == "max_epochs" || member.key == "name" || member.key == "samples" ||
            member.key == "batch_size" || member.key == "lr") {
          continue;
        }
        all.push_back(fmt::format("{}.{}", section, member.key));
      }
    }
  }
  // Options of what is left.
  for (const char* section : {"callbacks", "plugins"}) {
    const ConfigValue* value = plan.document.find(section);
    if (value == nullptr) continue;
    for (const auto& callback : value->as_object()) {
      for (const auto& member : callback.value.as_object()) {
        if (member.key == "dirpath") continue;
        all.push_back(fmt::format("{}.{}.{}", section, callback.key, member.key));
      }
    }
  }
  return all;
}

size_t place_of_probe(const Plan& plan, size_t callbacks) {
  return std::min(static_cast<size_t>(plan.number("probe", 0) * static_cast<double>(callbacks + 1)),
                  callbacks);
}

std::string describe(const Plan& plan) {
  std::string text;
  for (const auto& section : plan.document.as_object()) {
    if (!section.value.is_object() && !section.value.is_array()) {
      text += fmt::format("  {:<10} {}\n", section.key, write_json(section.value));
      continue;
    }
    if (section.value.size() == 0) continue;
    const bool lists =
        section.key == "callbacks" || section.key == "plugins" || section.key == "loggers";
    if (lists) {
      for (const auto& member : section.value.as_object()) {
        text += fmt::format("  {:<10} {} {}\n", section.key, member.key, write_json(member.value));
      }
    } else if (section.value.is_array()) {
      for (const ConfigValue& item : section.value.as_array()) {
        text += fmt::format("  {:<10} {}\n", section.key, write_json(item));
      }
    } else {
      text += fmt::format("  {:<10} {}\n", section.key, write_json(section.value));
    }
  }
  return text;
}

std::string command(const Plan& plan) {
  std::string text = fmt::format("random_resume --seed {} --draw {}", plan.seed, plan.draw);
  if (!plan.only_stop.empty()) text += " --only stop=" + plan.only_stop;
  if (!plan.without.empty()) text += fmt::format(" --without {}", fmt::join(plan.without, ","));
  return text;
}

ConfigValue with_run_directory(const ConfigValue& value, const std::filesystem::path& directory) {
  ConfigValue result = value;
  if (value.is_string()) {
    const std::string& text = value.as_string();
    if (text.starts_with("$RUN")) result = ConfigValue(directory.string() + text.substr(4));
  } else if (value.is_object()) {
    for (auto& member : result.as_object()) {
      member.value = with_run_directory(member.value, directory);
    }
  }
  return result;
}

}  // namespace grapnel::random_test
