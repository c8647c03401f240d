// The texts of an enum's values in run.json, in the order of the help. Beside the enum, or above
// the table of options that takes it:
//   template <>
//   inline constexpr auto enum_names<MonitorMode> =
//       std::to_array<EnumName<MonitorMode>>({{MonitorMode::min, "min"}, {MonitorMode::max, "max"}});
#pragma once

#include <array>
#include <string_view>

namespace grapnel {

template <class E>
struct EnumName {
  E value;
  std::string_view text;
};

template <class E>
inline constexpr std::array<EnumName<E>, 0> enum_names = {};

}  // namespace grapnel
