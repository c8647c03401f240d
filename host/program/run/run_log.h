// Sends the library's log to standard error, above the progress bar if there is one.
#pragma once

#include <exception>
#include <memory>

#include <grapnel/base/log.h>
#include <grapnel/progress.h>

namespace grapnel::program {

// Sets the process's log sink; warnings and errors until show() says otherwise.
class RunLog {
 public:
  RunLog();
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Shows messages from this level on, above this bar; nullptr: no bar.
  static void show(LogLevel level, std::shared_ptr<ProgressSink> progress);
  // Shows the error that ends the run, now: before what fails because of it. Errors that only repeat
  // that a file can't be written are left out from then on. Not for a signal.
  static void show_cause(const std::exception_ptr& cause);
  // Whether show_cause() showed it.
  static bool has_shown_cause();
};

}  // namespace grapnel::program
