// Access to growable structs of the host: each field is tested where it is used, so that a plugin
// built with a newer SDK runs in every host that its target allows. See "Growth" in abi.h. Structs
// whose fields are all those of GRAPNEL_ABI_LOWEST_MINOR are read directly: every host has them.
#pragma once

#include <cstdint>
#include <string>

#include <grapnel/plugin/error.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

template <class Member>
struct MemberOf;
template <class Owner, class Value>
struct MemberOf<Value Owner::*> {
  using OwnerType = Owner;
  using ValueType = Value;
};
template <auto Field>
using OwnerOf = typename MemberOf<decltype(Field)>::OwnerType;
template <auto Field>
using ValueOf = typename MemberOf<decltype(Field)>::ValueType;

/// The ABI minor that appended a field. One line per appended field:
///   template <> struct Appended<&grapnel_log::enabled> { static constexpr int minor = 5; };
template <auto Field>
struct Appended {
  static constexpr int minor = GRAPNEL_ABI_LOWEST_MINOR;
};

/// True when the struct, as its owner made it, has the field.
template <auto Field>
bool has(const OwnerOf<Field>& object) noexcept {
  const auto* first = reinterpret_cast<const char*>(&object);
  const auto* end = reinterpret_cast<const char*>(&(object.*Field) + 1);
  return object.struct_size >= static_cast<std::uint64_t>(end - first);
}

/// what: of whom the field is, "this host's grapnel.log/1".
template <auto Field>
[[noreturn]] void fail_absent(const std::string& what) {
  throw Unsupported(what + " lacks something that this plugin uses; it needs a host of ABI " +
                    std::to_string(GRAPNEL_ABI_MAJOR) + "." +
                    std::to_string(Appended<Field>::minor) + " or newer");
}

/// The field. Throws Unsupported when the host's struct ends before it.
template <auto Field>
const ValueOf<Field>& field(const OwnerOf<Field>& object, const char* what) {
  if (!has<Field>(object)) fail_absent<Field>(what);
  return object.*Field;
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
