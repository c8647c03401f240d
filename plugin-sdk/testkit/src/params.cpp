#include <type_traits>

#include "services.h"

namespace grapnel::testkit {
namespace {

template <class T>
std::int32_t param(const grapnel_host* host, grapnel_string name, T* value) {
  if (name.data == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  const auto& held = found->second;
  if (std::holds_alternative<std::monostate>(held)) return GRAPNEL_NOT_FOUND;
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (const auto* i = std::get_if<std::int64_t>(&held)) return *value = *i, GRAPNEL_OK;
  } else if constexpr (std::is_same_v<T, double>) {
    if (const auto* d = std::get_if<double>(&held)) return *value = *d, GRAPNEL_OK;
    if (const auto* i = std::get_if<std::int64_t>(&held)) {
      return *value = static_cast<double>(*i), GRAPNEL_OK;
    }
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    if (const auto* b = std::get_if<bool>(&held)) return *value = *b, GRAPNEL_OK;
  } else {
    if (const auto* s = std::get_if<std::string>(&held)) return *value = to_abi(*s), GRAPNEL_OK;
  }
  return GRAPNEL_INVALID_ARGUMENT;
}

template <class Item, class T>
std::int32_t param_item(const grapnel_host* host, grapnel_string name, std::uint64_t index,
                        T* value) {
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  const auto* list = std::get_if<std::vector<Item>>(&found->second);
  if (list == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (index >= list->size()) return GRAPNEL_NOT_FOUND;
  if constexpr (std::is_same_v<Item, std::string>) {
    *value = to_abi((*list)[index]);
  } else {
    *value = static_cast<T>((*list)[index]);
  }
  return GRAPNEL_OK;
}

std::int32_t param_list_size(const grapnel_host* host, grapnel_string name, std::uint64_t* size) {
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  if (std::holds_alternative<std::monostate>(found->second)) return GRAPNEL_NOT_FOUND;
  return std::visit(
      [size](const auto& value) -> std::int32_t {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<bool>> ||
                      std::is_same_v<T, std::vector<std::int64_t>> ||
                      std::is_same_v<T, std::vector<double>> ||
                      std::is_same_v<T, std::vector<std::string>>) {
          *size = value.size();
          return GRAPNEL_OK;
        } else {
          return GRAPNEL_INVALID_ARGUMENT;
        }
      },
      found->second);
}

const grapnel_params params_functions = {
    sizeof(grapnel_params),
    0,
    service<param<std::int64_t>>("params.get_i64"),
    service<param<double>>("params.get_f64"),
    service<param<std::int32_t>>("params.get_bool"),
    service<param<grapnel_string>>("params.get_string"),
    service<param_list_size>("params.list_size"),
    service<param_item<std::int64_t, std::int64_t>>("params.list_i64"),
    service<param_item<double, double>>("params.list_f64"),
    service<param_item<std::string, grapnel_string>>("params.list_string"),
    service<param_item<bool, std::int32_t>>("params.list_bool"),
};

}  // namespace

const void* params_table() {
  return &params_functions;
}

}  // namespace grapnel::testkit
