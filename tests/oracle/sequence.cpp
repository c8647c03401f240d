#include "sequence.h"

#include <grapnel/base/error.h>
#include <grapnel/trainer.h>

#include <string>
#include <utility>

#include "callbacks/make.h"
#include "exceptions.h"
#include "observe/observe.h"
#include "options.h"
#include "samples.h"
#include "snapshot.h"
#include "state_json.h"

namespace grapnel::oracle {
namespace {

Json merged(const Json& base, const Json& overrides) {
  Json result = base.is_null() ? Json::object() : base;
  for (const auto& [key, value, line, column] : members(overrides)) result.set(key, value);
  return result;
}

Json metrics_per_loader(const std::vector<MetricDict>& results) {
  Json list = Json::array();
  for (const MetricDict& metrics : results) list.append(observe_metrics(metrics));
  return list;
}

// One loader's batches stand without a list around them; null when nothing was predicted.
Json prediction_lists(const std::vector<Predictions>& results) {
  if (results.empty()) return {};
  Json loaders = Json::array();
  for (const Predictions& batches : results) {
    Json& list = loaders.append(Json::array());
    for (const TensorTree& tree : batches) list.append(tensor_json(tree.tensor));
  }
  return loaders.size() == 1 ? loaders.as_array()[0] : loaders;
}

}  // namespace

Player::Player(const Case& test, std::filesystem::path directory)
    : test_(test), directory_(std::move(directory)), journal_(test), scoped_log_(log_) {}

// The trainer refers to the module and the data.
Player::~Player() {
  trainer_.reset();
}

Json Player::exception_json(const std::exception_ptr& exception, std::size_t call) const {
  const Thrown thrown = describe(exception);
  Json json = Json::object();
  json.set("type", thrown.type);
  json.set("message", replace_all(thrown.message, directory_.string(), "{DIR}"));
  json.set("at_call", static_cast<std::int64_t>(call));
  return json;
}

void Player::play() {
  const std::vector<Json> calls = test_.calls();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Json& call = calls[i];
    if (calls.size() > 1) journal_.note("== " + call.at("call").as_string());
    try {
      make_call(call);
    } catch (...) {
      Json error = exception_json(std::current_exception(), i);
      if (flag_or(call, "continue_on_error", false)) {
        errors_.append(std::move(error));
        results_.append(Json());
        continue;
      }
      exception_ = std::move(error);
      break;
    }
  }
  if (trainer_ && module_) take_snapshot("end", {}, journal_, *module_);
}

void Player::make_call(const Json& call) {
  prepare(call);
  results_.append(run(call));
}

void Player::prepare(const Json& call) {
  if (!test_.model().is_null() && (!module_ || flag_or(call, "new_model", false))) {
    module_ = std::make_unique<OracleModule>(test_.model(), journal_);
  }
  if (!trainer_ || call.contains("new_trainer")) {
    const Json* other = call.find("callbacks");
    trainer_.reset();
    fitted_ = false;
    trainer_ = std::make_unique<Trainer>(
        make_options(merged(test_.trainer(), get(call, "new_trainer")), journal_, directory_),
        make_callbacks(other == nullptr ? test_.callbacks() : *other, journal_));
    journal_.trainer = trainer_.get();
    const Json& data = test_.data();
    if (!data.is_null() && text_or(data, "source", "datamodule") == "datamodule") {
      data_module_ = std::make_unique<OracleDataModule>(data, journal_);
    }
  }
  for (const auto& [path, value, line, column] : members(get(call, "set"))) {
    if (path == "fit_loop.max_epochs") {
      trainer_->set_max_epochs(value.as_int());
    } else if (path == "fit_loop.epoch_loop.max_steps") {
      trainer_->set_max_steps(value.as_int());
    } else if (path == "should_stop") {
      trainer_->set_should_stop(value.as_bool());
    } else if (path == "accumulate_grad_batches") {
      trainer_->set_accumulate_grad_batches(value.as_int());
    } else {
      throw Error("this runner can't set the trainer's '" + path + "'");
    }
  }
}

Data Player::data_for(const std::string& call) {
  const Json& spec = test_.data();
  if (spec.is_null()) return {};
  const std::string source = text_or(spec, "source", "datamodule");
  if (source == "module") return {};
  if (source == "datamodule") return *data_module_;
  if (call == "fit") {
    return {make_loader(spec.at("train"), {}), make_loaders(get(spec, "val"), {})};
  }
  return make_loaders(get(spec, call == "validate" ? "val" : call), {});
}

Json Player::run(const Json& call) {
  const std::string& name = call.at("call").as_string();
  if (name == "construct") return {};
  if (name == "save_checkpoint") {
    trainer_->save_checkpoint(call.at("path").as_string(), flag_or(call, "weights_only", false));
    return {};
  }
  RunOptions options;
  options.ckpt_path = text_or(call, "ckpt_path", "");
  const bool last_module = flag_or(call, "model_none", false);
  Data data = data_for(name);
  if (name == "fit") {
    fitted_ = true;
    trainer_->fit(*module_, std::move(data), options);
    return {};
  }
  if (name == "validate") {
    return metrics_per_loader(last_module ? trainer_->validate(std::move(data), options)
                                          : trainer_->validate(*module_, std::move(data), options));
  }
  if (name == "test") {
    return metrics_per_loader(last_module ? trainer_->test(std::move(data), options)
                                          : trainer_->test(*module_, std::move(data), options));
  }
  if (name == "predict") {
    Json lists =
        prediction_lists(last_module ? trainer_->predict(std::move(data), options)
                                     : trainer_->predict(*module_, std::move(data), options));
    // Predictions are always returned here; asked for none, Lightning returns None.
    return flag_or(call, "return_predictions", true) ? lists : Json();
  }
  throw Error("this runner knows no call '" + name + "'");
}

Json Player::observed() const {
  Json result = Json::object();
  for (const auto& [key, value, line, column] : test_.expect().as_object()) {
    result.set(key, replace_text(observe(key), directory_.string(), "{DIR}"));
  }
  return result;
}

Json Player::observe(const std::string& key) const {
  const auto messages = [this](bool warnings) {
    Json list = Json::array();
    for (const test::LogRecorder::Message& line : log_->messages()) {
      if ((line.level == LogLevel::warning) == warnings) list.append(line.text);
    }
    return list;
  };
  if (key == "exception") return exception_;
  if (key == "errors") return errors_;
  if (key == "results") return results_;
  if (key == "trace") return journal_.trace();
  if (key == "train_losses") return journal_.train_losses;
  if (key == "val_losses") return journal_.val_losses;
  if (key == "lrs") return journal_.lrs;
  if (key == "batch_sizes") return journal_.batch_sizes;
  if (key == "rows") return journal_.rows;
  if (key == "hparams") return journal_.hparams;
  if (key == "writes") return journal_.writes;
  if (key == "snapshots") return journal_.snapshots;
  if (key == "bars") return journal_.bars;
  if (key == "info") return messages(false);
  if (key == "warnings") return messages(true);
  if (key == "files") return observe_files(directory_);
  if (key == "json_files") return observe_json_files(directory_);
  if (key == "csv") return observe_csv(directory_);
  if (key == "tb") return observe_tensorboard(directory_);
  if (key == "checkpoints") {
    return observe_checkpoints(directory_, test_.records("ckpt_weights"),
                               test_.records("ckpt_loops"));
  }
  if (key == "lr_attr") {
    return module_ && module_->learning_rate() ? number(*module_->learning_rate()) : Json();
  }
  if (key == "batch_size_attr") {
    const auto size = [](const std::optional<std::int64_t>& value) {
      return value ? Json(*value) : Json();
    };
    Json both = Json::object();
    both.set("model", module_ ? size(module_->batch_size()) : Json());
    both.set("datamodule", data_module_ ? size(data_module_->batch_size()) : Json());
    return both;
  }
  if (module_) {
    if (key == "weights") return observe_weights(*module_);
    if (key == "masks") return observe_masks(*module_);
    if (key == "requires_grad") return observe_requires_grad(*module_);
    if (key == "state_dict_keys") return observe_state_dict_keys(*module_);
  }
  // The rest is seen on the trainer.
  if (!trainer_) return {};
  if (key == "final") return observe_final(*trainer_, fitted_);
  if (key == "callbacks") return observe_callbacks(*trainer_);
  if (key == "callbacks_order") return observe_callbacks_order(*trainer_);
  if (key == "callback_metrics") return observe_metrics(trainer_->callback_metrics());
  if (key == "logged_metrics") return observe_metrics(trainer_->logged_metrics());
  if (key == "progress_bar_metrics") return observe_metrics(trainer_->progress_bar_metrics());
  if (key == "optimizers") return observe_optimizers(*trainer_);
  if (!module_) return {};
  throw Error("this runner doesn't observe '" + key + "'");
}

}  // namespace grapnel::oracle
