// Prints the time that each iteration took: the exercise of Lightning's guide to callbacks in your own loop.
//
// The hooks are standard ones, so that it works in a Trainer and in a Fabric's loop, which calls them
// by name. It reads the trainer's clock, which a test can set.
#pragma once

#include <grapnel/base/clock.h>
#include <grapnel/callback.h>
#include <grapnel/trainer.h>

#include <iomanip>
#include <ostream>

class IterationTimer final : public grapnel::Callback {
 public:
  // out must outlive the callback.
  explicit IterationTimer(std::ostream& out) : out_(out) {}

  void on_train_batch_start(grapnel::TrainBatchStart& event) override {
    started_ = event.trainer.clock().now();
  }
  void on_train_batch_end(grapnel::TrainBatchEnd& event) override {
    const double seconds = event.trainer.clock().now() - started_;
    out_ << "iteration " << event.batch_idx << " took " << std::fixed << std::setprecision(1)
         << seconds * 1e3 << " ms\n";
  }

 private:
  std::ostream& out_;
  double started_ = 0;  // seconds
};
