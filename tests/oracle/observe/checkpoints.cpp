// What a checkpoint file holds, in the recordings' words.
#include <grapnel/checkpoint.h>

#include <string>
#include <vector>

#include "observe/observe.h"
#include "state_json.h"

namespace grapnel::oracle {
namespace {

namespace fs = std::filesystem;

Json keys_of(const StateDict& state) {
  Json keys = Json::array();
  for (const auto& [key, value] : state) keys.append(key);
  return keys;
}

// The states of callbacks without what the recordings leave out.
Json callback_states(const StateDict& states) {
  Json result = Json::object();
  for (const auto& [key, state] : states) {
    Json fields = state_json(state);
    fields.erase("average_model_state");
    fields.erase("scheduler_state");
    result.set(key, std::move(fields));
  }
  return result;
}

// Tensors as flat lists, those without a dimension too.
Json flat_tensors(const StateDict& state) {
  Json result = Json::object();
  for (const auto& [key, value] : state) {
    result.set(key, value.is_tensor() ? tensor_json(value.to_tensor()) : state_json(value));
  }
  return result;
}

std::int64_t size_of(const StateValue& value) {
  return static_cast<std::int64_t>(value.is_list() ? value.to_list().size()
                                                   : value.to_dict().size());
}

// The counters that are recorded, grouped as Lightning groups them.
Json fit_loop(const Json& counters) {
  Json optimizer = Json::object();
  optimizer.set("step", counters.at("optimizer_step"));
  optimizer.set("zero_grad", counters.at("zero_grad"));
  Json optim_progress = Json::object();
  optim_progress.set("optimizer", std::move(optimizer));
  Json result = Json::object();
  result.set("epoch_progress", counters.at("epoch_progress"));
  result.set("batch_progress", counters.at("batch_progress"));
  result.set("optim_progress", std::move(optim_progress));
  return result;
}

Json describe_checkpoint(const StateDict& checkpoint, bool weights, bool loops) {
  Json result = Json::object();
  result.set("keys", keys_of(checkpoint));
  for (const char* key : {"epoch", "global_step"}) {
    if (const StateValue* value = checkpoint.find(key)) result.set(key, state_json(*value));
  }
  if (const StateValue* callbacks = checkpoint.find("callbacks")) {
    result.set("callbacks", keys_of(callbacks->to_dict()));
    result.set("callback_states", callback_states(callbacks->to_dict()));
  }
  if (const StateValue* states = checkpoint.find("optimizer_states")) {
    result.set("n_optimizer_states", size_of(*states));
  }
  if (const StateValue* states = checkpoint.find("lr_schedulers")) {
    result.set("n_lr_schedulers", size_of(*states));
  }
  if (const StateValue* state = checkpoint.find("state_dict")) {
    result.set("state_dict_keys", keys_of(state->to_dict()));
  }
  if (const StateValue* parameters = checkpoint.find("hyper_parameters")) {
    result.set("hyper_parameters", state_json(*parameters));
  }
  if (weights) {
    for (const char* key : {"state_dict", "current_model_state", "averaging_state"}) {
      if (const StateValue* state = checkpoint.find(key)) {
        result.set(key, flat_tensors(state->to_dict()));
      }
    }
  }
  if (loops) {
    result.set("fit_loop", fit_loop(state_json(checkpoint.at("loops").to_dict().at("fit_loop"))));
  }
  return result;
}

}  // namespace

Json observe_checkpoints(const fs::path& directory, bool weights, bool loops) {
  Json result = Json::object();
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.path().extension() != ".ckpt" || !fs::is_regular_file(entry.path())) continue;
    result.set(entry.path().lexically_relative(directory).generic_string(),
               describe_checkpoint(load_checkpoint_file(entry.path()), weights, loops));
  }
  return result;
}

}  // namespace grapnel::oracle
