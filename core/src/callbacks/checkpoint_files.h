// What is done to checkpoint files besides writing them: linking, removing, telling whether they
// may go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace grapnel {

// Makes `link` a relative symbolic link to `file`, in one step, in the place of whatever file is
// there; a copy where the system can't make links. IoError when a directory is in the way.
void link_checkpoint(const std::filesystem::path& file, const std::filesystem::path& link);

// Makes `copy` a copy of `file`, in one step, in the place of whatever file is there.
void copy_checkpoint(const std::filesystem::path& file, const std::filesystem::path& copy);

// Removes a file that may be gone already; a failure is a warning, once for each file, and false.
bool remove_checkpoint(const std::filesystem::path& file);

// The step of a checkpoint, or of what a link leads to; nothing where it can't be read.
std::optional<std::int64_t> step_of_checkpoint(const std::filesystem::path& file);

// The file name of the best checkpoint according to the state under that key; empty: none.
std::string best_of_checkpoint(const std::filesystem::path& file, const std::string& state_key);

// Would removing `file` take `kept` away, by whatever paths both are named? Removing a link to it
// would not.
bool would_remove(const std::filesystem::path& file, const std::filesystem::path& kept);

// Whether a link in the file's directory, other than `own`, leads to the file: it is the last one of
// another run then.
bool is_last_of_another(const std::filesystem::path& file, const std::filesystem::path& own);

// Does the file lie below the directory? Both as they are written, without looking at links.
bool lies_below(const std::filesystem::path& file, const std::filesystem::path& directory);

// Absolute, without symbolic links as far as the path exists; a leading "~" is the home directory.
std::filesystem::path resolved_directory(const std::filesystem::path& path);

}  // namespace grapnel
