// What an instance shows on the terminal; taken away with it.
#pragma once

#include <memory>

#include <grapnel/ext/terminal.h>
#include <grapnel/progress.h>

namespace grapnel::bridge {

struct LiveArea {
  grapnel_terminal_info info{};
  std::shared_ptr<ProgressSink> sink;  // where text is
  std::unique_ptr<TextArea> text;      // null while nothing is shown

  void hide() noexcept {
    text.reset();
    sink.reset();
  }
};

}  // namespace grapnel::bridge
