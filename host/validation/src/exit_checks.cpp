// The group exit: what the process is left with. exit.destructors and exit.output are judged by the
// parent (validation.cpp).
#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/text.h>
#include <grapnel/host/process_state.h>

#include "process_counts.h"
#include "subject.h"

namespace grapnel::validation {
namespace {

void train_each(Subject& subject) {
  (void)subject.each_instance([](Instance& instance) {
    (void)testkit::run_training(*instance.callback);
    return pass();
  });
}

Verdict output(Subject& subject) {
  train_each(subject);
  return pass();
}

Verdict signal_handlers(Subject& subject) {
  const host::ProcessStateGuard guard;
  train_each(subject);
  std::vector<std::string> changed = guard.changes();
  std::erase_if(changed, [](const std::string& what) { return !what.starts_with("the handler"); });
  if (changed.empty()) return pass();
  return fail(fmt::format("it leaves {} changed; signals are the program's", join(changed)));
}

Verdict threads(Subject& subject) {
  // Before an instance exists: what the library itself has started.
  const std::int64_t running = count_threads();
  if (running < 0) return skip("this system doesn't tell");
  (void)subject;
  if (running == 1) return pass();
  return fail(fmt::format("loading it starts {} threads that nothing ends", running - 1));
}

Verdict children(Subject& subject) {
  train_each(subject);
  const std::int64_t left = count_children();
  if (left < 0) return skip("this system doesn't tell");
  if (left == 0) return pass();
  return fail(fmt::format("it leaves {} child processes, running or not waited for", left));
}

}  // namespace

std::vector<Check> exit_checks() {
  return {
      {"exit.output", "it writes nothing to standard output", output},
      {"exit.signal_handlers", "it leaves signal handlers alone", signal_handlers},
      {"exit.threads", "no thread starts when it is loaded", threads},
      {"exit.children", "it leaves no child process behind", children},
  };
}

}  // namespace grapnel::validation
