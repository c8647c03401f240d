// What is done where the user's directories can't be written: a container without a home, a read-only
// one, HOME=/dev/null.
//
// What has to last (enabled plugins) is an error that names the variables to set. What a single run
// needs goes to a private directory, which is removed at its end.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

namespace grapnel::host {

// "cannot keep plugins in '/dev/null/...': Not a directory; set ...". `action` continues "cannot".
[[noreturn]] void throw_unwritable(std::string_view action, const std::filesystem::path& directory,
                                   const IoError& cause);

// A new directory in $XDG_RUNTIME_DIR or the one for temporary files, readable by its owner only and
// removed with its last holder. The log says, once for each directory that can't be written, that it
// stands in for it, and which variable to set. IoError when that can't be made either.
[[nodiscard]] std::shared_ptr<const TemporaryDirectory> directory_for_this_run(
    const IoError& cause, const std::filesystem::path& directory, std::string_view variable);

}  // namespace grapnel::host
