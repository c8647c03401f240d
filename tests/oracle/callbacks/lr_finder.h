// The cases' learning-rate finder that searches at the start of some epochs instead of the fit's.
#pragma once

#include <grapnel/callbacks/learning_rate_finder.h>
#include <grapnel/trainer.h>

#include <set>

namespace grapnel::oracle {

class MyLRFinder final : public LearningRateFinder {
 public:
  MyLRFinder(LearningRateFinderOptions options, std::set<std::int64_t> milestones)
      : LearningRateFinder(std::move(options)), milestones_(std::move(milestones)) {}

  void on_fit_start(Event&) override {}
  void on_train_epoch_start(Event& event) override {
    if (milestones_.contains(event.trainer.current_epoch())) lr_find(event);
  }

 private:
  std::set<std::int64_t> milestones_;
};

}  // namespace grapnel::oracle
