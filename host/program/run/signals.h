// The signals that end a run in an orderly way: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal is
// gone), SIGXCPU (a limit on processor time) and SIGUSR1 (a job scheduler's warning that the time is
// nearly over; see slurm.h).
//
// The first of them requests a stop: the trainer saves and ends, and the program exits with 128 + the
// number. A second SIGINT or SIGTERM ends the process immediately; one within a quarter of a second is
// the first again, which `timeout` and supervisors send to a process and to its group. Of the others
// schedulers and shells send several, which mean the same. A signal that was ignored when the program
// was started (`nohup`, a background job of a script) stays ignored.
//
// Neither a reader that goes away nor a file that may not grow ends a training: SIGPIPE and SIGXFSZ
// are ignored, and the write that met them fails.
#pragma once

#include <vector>

#include <grapnel/trainer.h>

namespace grapnel::program {

// SIGUSR1; 0 on systems that have no such signal.
extern const int kRequeueSignal;

// Handles the signals for a scope. One at a time in a process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Throws Interrupted when a signal came.
  static void check();
  // From now on a signal interrupts this trainer; nullptr: none.
  static void watch(Trainer* trainer);
  // The signal that came first; 0: none.
  static int first();

 private:
  using Handler = void (*)(int);
  struct Former {
    int number;
    Handler handler;
  };
  std::vector<Former> former_;
};

}  // namespace grapnel::program
