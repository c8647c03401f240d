// A plugin made of a class in the test itself, without a library: for what a test wants to look into.
//
//   RunningCallback callback(host, plugin_of<MyPlugin>(), "it");
#pragma once

#include <array>

#include <grapnel/plugin.hpp>

#include "recording_host.h"

namespace grapnel::testkit {

/// The entry of a plugin whose only callback is T, named "it".
template <class T>
const grapnel_plugin& plugin_of() {
  static constexpr std::array<grapnel_factory, 1> factories{plugin::callback<T>("it")};
  static constexpr std::array<const grapnel_factory*, 1> pointers{&factories[0]};
  static constexpr grapnel_plugin entry{
      sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, pointers.data(), nullptr, nullptr};
  return entry;
}

}  // namespace grapnel::testkit
