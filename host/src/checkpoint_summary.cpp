#include <grapnel/host/checkpoint_summary.h>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <grapnel/base/digest.h>
#include <grapnel/base/document_notation.h>
#include <grapnel/base/error.h>

#include "descriptions.h"

namespace grapnel::host {
namespace {

constexpr std::string_view model_group = "model";

std::optional<std::int64_t> integer(const ConfigValue* value) {
  if (value == nullptr || !value->is_integer()) return std::nullopt;
  return value->as_int();
}

std::uint64_t element_count(const TensorEntry& tensor) {
  const auto size = dtype_size(tensor.dtype);
  return size ? tensor.size() / *size : 0;
}

std::vector<TensorGroup> group_tensors(const std::vector<TensorEntry>& tensors) {
  std::vector<TensorGroup> groups;
  for (TensorEntry tensor : tensors) {
    const std::size_t dot = tensor.name.find('.');
    const std::string name = tensor.name.substr(0, dot);
    if (dot != std::string::npos) tensor.name.erase(0, dot + 1);
    auto group = std::ranges::find(groups, name, &TensorGroup::name);
    if (group == groups.end()) {
      groups.push_back({.name = name, .tensors = {}});
      group = std::prev(groups.end());
    }
    group->elements += element_count(tensor);
    group->bytes += tensor.size();
    group->tensors.push_back(std::move(tensor));
  }
  std::ranges::sort(groups, {}, [](const TensorGroup& group) {
    return std::pair(group.name != model_group, std::string_view(group.name));
  });
  return groups;
}

// Names of the tensors in a state, as in the document.
void collect_tensors(const ConfigValue& value, std::vector<std::string>& names) {
  if (value.is_array()) {
    for (const ConfigValue& item : value.as_array()) collect_tensors(item, names);
  }
  if (!value.is_object()) return;
  if (const ConfigValue* name = value.find(document::tensor_key)) {
    if (name->is_string()) names.push_back(name->as_string());
    return;
  }
  for (const ConfigValue::Member& member : value.as_object()) collect_tensors(member.value, names);
}

CallbackState callback_state(const std::string& key, const ConfigValue& values,
                             const CheckpointFile& file) {
  CallbackState state;
  state.key = key;
  state.state = values;
  std::vector<std::string> tensors;
  collect_tensors(state.state, tensors);
  for (const std::string& name : tensors) {
    ++state.tensors;
    if (const TensorEntry* tensor = file.find(name)) state.tensor_bytes += tensor->size();
  }
  // The bridge's wrapper around a plugin's state.
  const ConfigValue* version = state.state.find("version");
  const ConfigValue* content = state.state.find("state");
  const bool is_plugin = state.state.contains("keep_if_absent") && version && content;
  if (is_plugin && version->is_string()) state.plugin_version = version->as_string();
  const ConfigValue& own = is_plugin ? *content : state.state;
  if (!own.is_object()) return state;
  for (const auto& [field, value] : document::read_dict(own)) state.fields.push_back(field);
  return state;
}

}  // namespace

const TensorGroup* CheckpointSummary::find(const std::string& group) const& noexcept {
  const auto it = std::ranges::find(groups, group, &TensorGroup::name);
  return it == groups.end() ? nullptr : &*it;
}

CheckpointSummary summarize_checkpoint(const std::filesystem::path& path) {
  const CheckpointFile file = CheckpointFile::open(path, CheckpointCheck::on_use);
  CheckpointSummary summary;
  summary.path = path;
  summary.bytes = file.file_size();
  summary.format_version = file.format_version();
  summary.sha256 = hex(file.sha256());
  summary.groups = group_tensors(file.tensors());
  try {
    const auto find = [&](const char* keys) {
      return find_by_path(file.document(), std::string("checkpoint.") + keys);
    };
    if (const ConfigValue* version = find("grapnel_version")) {
      summary.grapnel_version = version->as_string("grapnel_version");
    }
    summary.epoch = integer(find("epoch"));
    summary.global_step = integer(find("global_step"));
    summary.batches = integer(find("loops.fit_loop.batch_progress.current.completed"));
    if (const ConfigValue* optimizers = find("optimizer_states")) {
      summary.optimizers = optimizers->size();
    }
    if (const ConfigValue* schedulers = find("lr_schedulers")) {
      summary.schedulers = schedulers->size();
    }
    if (const ConfigValue* own = find("hyper_parameters")) summary.hyper_parameters = *own;
    const ConfigValue* callbacks = find("callbacks");
    if (callbacks != nullptr && callbacks->is_object()) {
      for (const auto& [key, values] : document::read_dict(*callbacks)) {
        summary.callbacks.push_back(callback_state(key, *values, file));
      }
    }
  } catch (const ConfigError& error) {
    throw CheckpointError(path,
                          fmt::format("its document is not a checkpoint's: {}", error.what()));
  }
  return summary;
}

ConfigValue to_json(const CheckpointSummary& summary) {
  ConfigValue root = grapnel::to_json(summary);
  ConfigValue groups = ConfigValue::object();
  for (const TensorGroup& group : summary.groups) {
    ConfigValue tensors = ConfigValue::array();
    for (const TensorEntry& tensor : group.tensors) {
      ConfigValue value = ConfigValue::object();
      value.set("name", tensor.name);
      value.set("dtype", tensor.dtype);
      value.set("shape", tensor.shape);
      value.set("bytes", tensor.size());
      tensors.append(std::move(value));
    }
    groups.set(group.name, std::move(tensors));
  }
  root.set("tensors", std::move(groups));
  root.set("callbacks", grapnel::to_json(summary.callbacks));
  root.set("hyper_parameters", summary.hyper_parameters);
  return root;
}

}  // namespace grapnel::host
