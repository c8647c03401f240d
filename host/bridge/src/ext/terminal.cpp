// Extension terminal: a text area of the trainer's progress sink.
#include <grapnel/ext/terminal.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/progress.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"
#include "live_area.h"

namespace grapnel::bridge {
namespace {

std::shared_ptr<ProgressSink> sink_of(const InstanceHost& self) {
  return self.trainer() == nullptr ? nullptr : self.trainer()->options().progress;
}

LiveArea& area_of(InstanceHost& self) {
  if (self.live_area == nullptr) self.live_area = std::make_unique<LiveArea>();
  return *self.live_area;
}

std::int32_t GRAPNEL_CALL info(const grapnel_host* host,
                               const grapnel_terminal_info** result) noexcept {
  return service<NoTensors>(host, "terminal.info", [&](InstanceHost& self) {
    check_output(result);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    const std::shared_ptr<ProgressSink> sink = sink_of(self);
    if (sink == nullptr) return GRAPNEL_NOT_FOUND;
    const ScreenFacts facts = sink->facts();
    LiveArea& area = area_of(self);
    area.info = {sizeof area.info, facts.is_terminal ? 1 : 0, facts.columns, facts.utf8 ? 1 : 0,
                 facts.colors};
    *result = &area.info;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL print(const grapnel_host* host, grapnel_string line) noexcept {
  return service<NoTensors>(host, "terminal.print", [&](InstanceHost& self) {
    const std::string text = printable(checked_text(line, "line"));
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    const std::shared_ptr<ProgressSink> sink = sink_of(self);
    if (sink == nullptr) return GRAPNEL_NOT_FOUND;
    sink->print(text);
    return GRAPNEL_OK;
  });
}

std::vector<StyledLine> checked_lines(const grapnel_terminal_line* const* lines,
                                      std::uint64_t count) {
  if (count > GRAPNEL_TERMINAL_MAX_LINES) {
    throw ContractBreach{
        fmt::format("{} lines, at most {} are drawn", count, GRAPNEL_TERMINAL_MAX_LINES)};
  }
  if (count > 0 && lines == nullptr) throw ContractBreach{"the list of lines is NULL"};
  std::vector<StyledLine> read;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (lines[i] == nullptr ||
        lines[i]->struct_size < GRAPNEL_END_OF(grapnel_terminal_line, style)) {
      throw ContractBreach{fmt::format("line {} is NULL or too short", i)};
    }
    if (lines[i]->reserved != 0) {
      throw ContractBreach{fmt::format("reserved of line {} isn't 0", i)};
    }
    read.push_back({std::string(checked_text(lines[i]->text, "text")),
                    std::string(checked_text(lines[i]->style, "style"))});
  }
  return read;
}

std::int32_t GRAPNEL_CALL draw(const grapnel_host* host, const grapnel_terminal_line* const* lines,
                               std::uint64_t count) noexcept {
  return service<NoTensors>(host, "terminal.draw", [&](InstanceHost& self) {
    std::vector<StyledLine> wanted = checked_lines(lines, count);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    const std::shared_ptr<ProgressSink> sink = sink_of(self);
    if (sink == nullptr) return GRAPNEL_NOT_FOUND;
    LiveArea& area = area_of(self);
    if (wanted.empty()) {
      area.text.reset();
      return GRAPNEL_OK;
    }
    if (area.sink != sink) {  // of another trainer
      area.text.reset();
      area.sink = sink;
    }
    if (area.text == nullptr) area.text = sink->make_text_area();
    if (area.text == nullptr) return GRAPNEL_OK;
    try {
      area.text->set_lines(std::move(wanted));
    } catch (const ConfigError& error) {
      throw ContractBreach{error.what()};
    }
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_terminal kTerminal = {sizeof(grapnel_terminal), 0, &info, &print, &draw};

}  // namespace grapnel::bridge
