// What is the same on every system about child processes.
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

namespace grapnel {

std::string ProcessResult::describe() const {
  switch (end) {
    case End::exited:
      return "exited with " + std::to_string(exit_code);
    case End::signalled:
      return "was ended by " + signal_name(signal_number) + " (" + std::to_string(signal_number) +
             ")";
    case End::timed_out:
      return "did not finish within " + human_seconds(seconds) + " and was killed";
  }
  return "ended";
}

}  // namespace grapnel
