#include "grapnel/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "dispatch/callback_order.h"
#include "grapnel/base/error.h"
#include "run/run.h"

namespace grapnel {

namespace {

// Has one more callback among the trainer's for a scope.
class GuestCallback {
 public:
  GuestCallback(Trainer& trainer, CallbackHandle handle)
      : run_(Run::of(trainer)), callback_(handle.callback.get()) {
    run_.refuse_while_running();  // which goes over its callbacks
    run_.callbacks.insert(run_.callbacks.begin(), std::move(handle));
    run_.callbacks = ordered(std::move(run_.callbacks));
    run_.hooks.assign(run_.callbacks);
  }
  ~GuestCallback() {
    std::erase_if(run_.callbacks,
                  [this](const auto& handle) { return handle.callback.get() == callback_; });
    run_.hooks.assign(run_.callbacks);
  }
  GuestCallback(const GuestCallback&) = delete;
  GuestCallback& operator=(const GuestCallback&) = delete;

 private:
  Run& run_;
  const Callback* callback_;
};

template <class Finder>
void refuse_second(const Trainer& trainer, const char* name) {
  if (trainer.find_callback<Finder>() == nullptr) return;
  throw ConfigError({},
                    fmt::format("there is a {0} among the trainer's callbacks, which searches by "
                                "itself; remove it to use the Tuner",
                                name));
}

}  // namespace

std::optional<LRFindResult> Tuner::lr_find(ModuleRef module, Data data,
                                           LearningRateFinderOptions options) {
  refuse_second<LearningRateFinder>(trainer_, "LearningRateFinder");
  const auto finder = std::make_shared<LearningRateFinder>(std::move(options));
  finder->search_only_ = true;
  const GuestCallback guest(trainer_, finder);
  trainer_.fit(module, std::move(data));
  return finder->optimal_lr();
}

std::optional<int64_t> Tuner::scale_batch_size(ModuleRef module, Data data,
                                               BatchSizeFinderOptions options, RunKind method) {
  refuse_second<BatchSizeFinder>(trainer_, "BatchSizeFinder");
  const auto finder = std::make_shared<BatchSizeFinder>(std::move(options));
  finder->search_only_ = true;
  const GuestCallback guest(trainer_, finder);
  switch (method) {
    case RunKind::fit:
      trainer_.fit(module, std::move(data));
      break;
    case RunKind::validate:
      trainer_.validate(module, std::move(data));
      break;
    case RunKind::test:
      trainer_.test(module, std::move(data));
      break;
    case RunKind::predict:
      trainer_.predict(module, std::move(data));
      break;
    case RunKind::none:
      throw ConfigError({}, "scale_batch_size needs a method: fit, validate, test or predict");
  }
  return finder->optimal_batch_size();
}

}  // namespace grapnel
