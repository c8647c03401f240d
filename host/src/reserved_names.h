// Names that belong to Grapnel, in what a manifest may call its own.
#pragma once

#include <string_view>
#include <vector>

namespace grapnel::host {

// Built-in callbacks, their former names too: in run.json such a key always means the built-in one.
// As the keys there, compared without '_'. A test compares the list with core's registry.
[[nodiscard]] const std::vector<std::string_view>& built_in_callback_names();
[[nodiscard]] bool is_built_in_callback_name(std::string_view id);

// "grapnel" and "grapnel.*".
[[nodiscard]] bool is_reserved_namespace(std::string_view id) noexcept;

// Keys of run.json that every callback has (core's hooks/callback_keys.h), and all that begin with
// '_', for later ones.
[[nodiscard]] bool is_reserved_parameter(std::string_view name) noexcept;

}  // namespace grapnel::host
