#include "vocabulary.h"

#include <grapnel/data.h>
#include <grapnel/hook_mask.h>
#include <grapnel/module.h>

namespace grapnel::oracle {
namespace {

void add_word(const std::string& word, Vocabulary& out) {
  if (!word.empty() && word[0] != '$') out.words.insert(word);
}

// Every key, text and number below an argument.
void add_all(const Json& value, Vocabulary& out) {
  if (value.is_string()) {
    add_word(value.as_string(), out);
  } else if (value.is_number()) {
    out.argument_numbers.push_back(value.as_double());
  } else if (value.is_array()) {
    for (const Json& item : value.as_array()) add_all(item, out);
  } else if (value.is_object()) {
    for (const auto& [key, item, line, column] : value.as_object()) {
      add_word(key, out);
      // The keys of a schedule are numbers themselves.
      if (!key.empty() && key.find_first_not_of("-0123456789") == std::string::npos) {
        out.argument_numbers.push_back(std::stod(key));
      }
      add_all(item, out);
    }
  }
}

void add_callbacks(const Json& list, Vocabulary& out) {
  for (const Json& spec : items(list)) {
    add_word(text_or(spec, "type", ""), out);
    for (const auto& [key, value, line, column] : members(get(spec, "args"))) {
      add_word(key, out);
      if (key == "log") continue;  // directives: below
      add_all(value, out);
    }
  }
}

void add_directives(const Json& list, Vocabulary& out) {
  for (const Json& directive : items(list)) {
    add_word(text_or(directive, "in", ""), out);
    add_word(text_or(directive, "name", ""), out);
    for (const auto& [key, value, line, column] : members(get(directive, "dict"))) {
      add_word(key, out);
    }
    for (const auto& [key, value, line, column] : members(get(directive, "args"))) {
      add_word(key, out);
      if (value.is_string()) add_word(value.as_string(), out);
    }
  }
}

void add_options(const Json& options, Vocabulary& out) {
  for (const auto& [key, value, line, column] : members(options)) {
    add_word(key, out);
    if (value.is_string()) add_word(value.as_string(), out);
    if (value.is_number()) out.option_numbers.emplace_back(key, value.as_double());
  }
}

}  // namespace

Vocabulary vocabulary_of(const Case& test) {
  Vocabulary out;
  add_options(test.trainer(), out);
  add_callbacks(test.callbacks(), out);
  const Json& model = test.model();
  add_callbacks(get(model, "configure_callbacks"), out);
  add_directives(get(model, "log"), out);
  for (const Json& spec : items(test.callbacks())) {
    add_directives(get(get(spec, "args"), "log"), out);
  }
  add_all(get(model, "schedulers"), out);
  for (const Json& optimizer : items(get(model, "optimizers"))) {
    add_word(text_or(optimizer, "type", ""), out);
    for (const Json& group : items(get(optimizer, "groups"))) {
      add_word(text_or(group, "name", ""), out);
    }
  }
  for (const Json& method : items(get(model, "without"))) add_word(method.as_string(), out);
  for (const Json& call : items(get(test.document, "sequence"))) {
    add_options(get(call, "new_trainer"), out);
    add_callbacks(get(call, "callbacks"), out);
    add_word(text_or(call, "ckpt_path", ""), out);
  }
  return out;
}

const std::set<std::string>& interface_names() {
  static const std::set<std::string> names = [] {
    std::set<std::string> all(kHookNames.begin(), kHookNames.end());
#define X(name) all.insert(#name);
    GRAPNEL_MODULE_METHODS(X)
    GRAPNEL_DATA_METHODS(X)
#undef X
    // Recorded in the singular.
    all.insert({"val_dataloader", "test_dataloader", "predict_dataloader"});
    all.insert({"max_epochs",
                "min_epochs",
                "max_steps",
                "min_steps",
                "max_time",
                "fast_dev_run",
                "limit_train_batches",
                "limit_val_batches",
                "limit_test_batches",
                "limit_predict_batches",
                "overfit_batches",
                "val_check_interval",
                "check_val_every_n_epoch",
                "num_sanity_val_steps",
                "accumulate_grad_batches",
                "gradient_clip_val",
                "gradient_clip_algorithm",
                "log_every_n_steps",
                "enable_checkpointing",
                "enable_progress_bar",
                "barebones",
                "ckpt_path",
                "reload_dataloaders_every_n_epochs"});
    // Words that are also ordinary English.
    for (const char* ordinary : {"setup", "teardown", "backward"}) all.erase(ordinary);
    return all;
  }();
  return names;
}

}  // namespace grapnel::oracle
