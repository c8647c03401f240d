#include "in_process_plugin.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <stdexcept>

#include "toy_training.h"

namespace grapnel::test {

// ---- Caller

const void* Caller::find(const char* id) const {
  const void* table = nullptr;
  if (host->get_extension(host, text(std::string_view(id)), &table) != GRAPNEL_OK) {
    throw std::runtime_error(std::string("the host lacks ") + id);
  }
  return table;
}

namespace {

// What one of the calls below wrote, where it answered success.
template <class T>
const T& answered(std::int32_t status, const T* result, const char* what) {
  if (status != GRAPNEL_OK || result == nullptr) {
    throw std::runtime_error(std::string(what) + " answered " + std::to_string(status));
  }
  return *result;
}

}  // namespace

const grapnel_module_entry& Caller::entry(std::int32_t kind, std::uint64_t index) const {
  const grapnel_module_entry* result = nullptr;
  const std::int32_t status = module().entry(host, kind, index, &result);
  return answered(status, result, "module.entry");
}

const grapnel_tensor_info& Caller::describe(const grapnel_tensor* tensor) const {
  const grapnel_tensor_info* result = nullptr;
  const std::int32_t status = tensors().describe(host, tensor, &result);
  return answered(status, result, "tensors.describe");
}

const grapnel_trainer_state& Caller::trainer_state() const {
  const grapnel_trainer_state* result = nullptr;
  const std::int32_t status = table<grapnel_trainer>(GRAPNEL_EXT_TRAINER).state(host, &result);
  return answered(status, result, "trainer.state");
}

const grapnel_optimizer_group& Caller::optimizer_group(std::uint64_t optimizer,
                                                       std::uint64_t index) const {
  const grapnel_optimizer_group* result = nullptr;
  const std::int32_t status =
      table<grapnel_optimizers>(GRAPNEL_EXT_OPTIMIZERS).group(host, optimizer, index, &result);
  return answered(status, result, "optimizers.group");
}

std::vector<double> Caller::values(const grapnel_tensor* tensor) const {
  const grapnel_tensor_info& info = describe(tensor);
  const auto count = static_cast<std::size_t>(info.numel);
  const auto read = [&]<class T>(T) {
    std::vector<T> raw(count);
    if (tensors().read(host, tensor, raw.data(), count * sizeof(T)) != GRAPNEL_OK) {
      throw std::runtime_error("cannot read a tensor");
    }
    return std::vector<double>(raw.begin(), raw.end());
  };
  if (info.dtype == GRAPNEL_DTYPE_F32) return read(float{});
  if (info.dtype == GRAPNEL_DTYPE_F64) return read(double{});
  return read(std::int64_t{});
}

grapnel_tensor* Caller::floats(const std::vector<float>& values) const {
  const auto size = static_cast<std::int64_t>(values.size());
  grapnel_tensor* tensor = nullptr;
  if (tensors().from_data(host, GRAPNEL_DTYPE_F32, &size, 1, values.data(),
                          values.size() * sizeof(float), &tensor) != GRAPNEL_OK) {
    throw std::runtime_error("cannot make a tensor");
  }
  return tensor;
}

std::int32_t Caller::call(const char* name, const char* overload,
                          const std::vector<grapnel_value>& arguments,
                          std::vector<grapnel_value>& results) const {
  const grapnel_operator* op = nullptr;
  const std::int32_t found =
      aten().find(host, text(std::string_view(name)), text(std::string_view(overload)), &op);
  if (found != GRAPNEL_OK) return found;
  return aten().call(host, op, arguments.data(), arguments.size(), results.data(), results.size());
}

grapnel_value none() {
  return {GRAPNEL_VALUE_NONE, 0, 0, {nullptr}};
}
grapnel_value value_of(grapnel_tensor* tensor) {
  grapnel_value value{GRAPNEL_VALUE_TENSOR, 0, 0, {nullptr}};
  value.u.tensor = tensor;
  return value;
}
grapnel_value value_of(std::int64_t number) {
  grapnel_value value{GRAPNEL_VALUE_I64, 0, 0, {nullptr}};
  value.u.i64 = number;
  return value;
}
grapnel_value value_of(double number) {
  grapnel_value value{GRAPNEL_VALUE_F64, 0, 0, {nullptr}};
  value.u.f64 = number;
  return value;
}
grapnel_value value_of(bool flag) {
  grapnel_value value{GRAPNEL_VALUE_BOOL, 0, 0, {nullptr}};
  value.u.i64 = flag ? 1 : 0;
  return value;
}
grapnel_value value_of(std::string_view content) {
  grapnel_value value{GRAPNEL_VALUE_STRING, 0, content.size(), {nullptr}};
  value.u.string = content.data();
  return value;
}
grapnel_value enumerated(std::int32_t tag, std::int64_t number) {
  grapnel_value value{tag, 0, 0, {nullptr}};
  value.u.i64 = number;
  return value;
}
grapnel_value device(std::string_view name) {
  grapnel_value value = value_of(name);
  value.tag = GRAPNEL_VALUE_DEVICE;
  return value;
}
grapnel_value value_of(const char* content) {
  return value_of(std::string_view(content));
}

// ---- InProcessPlugin

// The ABI's structs first, so that their addresses are those of the whole.
struct InProcessPlugin::Factory {
  grapnel_factory abi{};
  InProcessPlugin* plugin = nullptr;
};

struct InProcessPlugin::Instance {
  grapnel_instance abi{};
  InProcessPlugin* plugin = nullptr;
  Caller caller;
  std::deque<grapnel_hook_entry> entries;
  std::vector<const grapnel_hook_entry*> hooks;  // their addresses

  static Instance& of(grapnel_instance* instance) { return *reinterpret_cast<Instance*>(instance); }
  static std::int32_t call_hook(grapnel_instance* instance, const grapnel_Event* event) {
    Instance& self = of(instance);
    return self.plugin->hooks.at(event->hook)(self.caller, event);
  }
  static std::int32_t call_init(grapnel_instance* instance, const grapnel_host*) {
    Instance& self = of(instance);
    return self.plugin->init ? self.plugin->init(self.caller) : GRAPNEL_OK;
  }
  static std::int32_t call_destroy(grapnel_instance* instance) {
    const std::unique_ptr<Instance> self(&of(instance));
    ++self->plugin->destroyed;
    return self->plugin->destroy ? self->plugin->destroy(self->caller) : GRAPNEL_OK;
  }
  static std::int32_t call_key(grapnel_instance* instance, grapnel_string* key) {
    if (of(instance).plugin->key.empty()) return GRAPNEL_NOT_FOUND;
    *key = text(std::string_view(of(instance).plugin->key));
    return GRAPNEL_OK;
  }
  static std::int32_t call_save(grapnel_instance* instance, const grapnel_state_writer* writer) {
    return of(instance).plugin->save(of(instance).caller, writer);
  }
  static std::int32_t call_load(grapnel_instance* instance, const grapnel_state_reader* reader) {
    Instance& self = of(instance);
    return self.plugin->load ? self.plugin->load(self.caller, reader) : GRAPNEL_OK;
  }
  static std::int32_t get_extension(grapnel_instance* instance, grapnel_string id,
                                    const void** table) {
    static const grapnel_state state = {sizeof(grapnel_state), 0, &call_key, &call_save,
                                        &call_load};
    InProcessPlugin& plugin = *of(instance).plugin;
    const void* found = nullptr;
    if (text(id) == GRAPNEL_EXT_STATE) {
      found = plugin.save ? &state : nullptr;
    } else if (plugin.extension) {
      found = plugin.extension(text(id));
    }
    if (found == nullptr) return GRAPNEL_NOT_FOUND;
    *table = found;
    return GRAPNEL_OK;
  }

  static std::int32_t make(const grapnel_factory* factory, const grapnel_host* host,
                           grapnel_instance** out) {
    InProcessPlugin* plugin = reinterpret_cast<const Factory*>(factory)->plugin;
    if (plugin->create) {
      const std::int32_t status = plugin->create(Caller{host});
      if (status != GRAPNEL_OK) return status;
    }
    auto instance = std::make_unique<Instance>();
    instance->plugin = plugin;
    instance->caller.host = host;
    for (const auto& [hook, function] : plugin->hooks) {
      instance->hooks.push_back(&instance->entries.emplace_back(
          grapnel_hook_entry{sizeof(grapnel_hook_entry), hook, plugin->hook_flags,
                             plugin->hook_reserved, &call_hook}));
    }
    instance->abi = {sizeof(grapnel_instance),
                     static_cast<std::uint32_t>(instance->hooks.size()),
                     instance->hooks.data(),
                     nullptr,
                     &call_init,
                     &call_destroy,
                     &get_extension};
    ++plugin->created;
    *out = &instance.release()->abi;
    return GRAPNEL_OK;
  }
};

InProcessPlugin::InProcessPlugin(const std::string& parameters, const std::string& version,
                                 const std::string& id)
    : manifest_(host::parse_manifest(
          R"({"manifest_version": 1, "id": ")" + id + R"(", "version": ")" + version +
              R"(", "summary": "A test.", "aliases": [)" + (id == "probe" ? "" : "\"probe\"") +
              R"(], "abi": {"major": 0, "minor": )" + std::to_string(GRAPNEL_ABI_MINOR) +
              R"(}, "callbacks": [{"name": "probe", "summary": "A test.", "parameters": )" +
              parameters + "}]}",
          "plugin.json")),
      factory_(std::make_unique<Factory>()) {
  factory_->abi = {sizeof(grapnel_factory), 0, text(std::string_view("probe")), &Instance::make};
  factory_->plugin = this;
}

const Caller& InProcessPlugin::caller_of(grapnel_instance* instance) {
  return Instance::of(instance).caller;
}

InProcessPlugin::~InProcessPlugin() {
  if (created == destroyed) return;
  std::fputs("a test destroys a plugin while an instance of it lives\n", stderr);
  std::abort();
}

std::shared_ptr<bridge::PluginCallback> InProcessPlugin::make(
    const bridge::PluginCallbackOptions& options) {
  return std::make_shared<bridge::PluginCallback>(manifest_, "probe", factory_->abi, options);
}

CallbackHandle InProcessPlugin::handle(const bridge::PluginCallbackOptions& options) {
  return as_plugin(make(options));
}

}  // namespace grapnel::test
