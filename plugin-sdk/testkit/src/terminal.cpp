#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t terminal_info(const grapnel_host* host, const grapnel_terminal_info** info) {
  static grapnel_terminal_info recorded;
  const auto& terminal = RecordingHost::of(host).terminal;
  if (info == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!terminal) return GRAPNEL_NOT_FOUND;
  recorded = {sizeof recorded, terminal->is_terminal ? 1 : 0, terminal->columns, 1, 0};
  *info = &recorded;
  return GRAPNEL_OK;
}
std::int32_t print_line(const grapnel_host* host, grapnel_string line) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.terminal) return GRAPNEL_NOT_FOUND;
  self.printed.push_back(text(line));
  return GRAPNEL_OK;
}
std::int32_t draw_lines(const grapnel_host* host, const grapnel_terminal_line* const* lines,
                        std::uint64_t count) {
  if (count > GRAPNEL_TERMINAL_MAX_LINES || (lines == nullptr && count > 0)) {
    return GRAPNEL_INVALID_ARGUMENT;
  }
  std::vector<std::string> drawn;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (lines[i] == nullptr ||
        lines[i]->struct_size < GRAPNEL_END_OF(grapnel_terminal_line, style) ||
        lines[i]->reserved != 0 || !is_text(lines[i]->text) || !is_text(lines[i]->style)) {
      return GRAPNEL_INVALID_ARGUMENT;
    }
    drawn.push_back(text(lines[i]->text));
  }
  RecordingHost& self = RecordingHost::of(host);
  if (!self.terminal) return GRAPNEL_NOT_FOUND;
  if (self.terminal->is_terminal) self.drawn = std::move(drawn);
  return GRAPNEL_OK;
}
const grapnel_terminal terminal_functions = {
    sizeof(grapnel_terminal), 0, service<terminal_info>("terminal.info"),
    service<print_line>("terminal.print"), service<draw_lines>("terminal.draw")};

}  // namespace

const void* terminal_table() {
  return &terminal_functions;
}

}  // namespace grapnel::testkit
