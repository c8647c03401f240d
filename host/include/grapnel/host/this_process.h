// The process itself, as the programs need it: streams that it was started without, and the names by
// which other processes know it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace grapnel::host {

// Opens the null device in the place of each standard stream that is closed. Otherwise the next
// file that the process opens takes its number, and what is meant for the terminal is written into
// that file. To be called first in main(). A no-op on Windows.
void open_missing_streams() noexcept;

// Standard output, for the program alone: from then on what anybody else writes to the stream (printf,
// std::cout, write(1)) goes to standard error, line by line. Not inherited by children. To be called
// once, after open_missing_streams() and before other code runs; before that, and where it can't be,
// write() goes to the stream itself.
class OwnOutput {
 public:
  static void claim() noexcept;
  // False when that fails; errno says why.
  [[nodiscard]] static bool write(std::string_view text) noexcept;
  // Of the stream, as it was before claim().
  [[nodiscard]] static bool is_terminal() noexcept;
  [[nodiscard]] static std::optional<int> terminal_width() noexcept;
};

// The name of this machine; "this machine" when it has none.
[[nodiscard]] std::string host_name();

// The file that a shell would start for a command's name, from PATH; nullopt when there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_in_path(std::string_view command);

}  // namespace grapnel::host
