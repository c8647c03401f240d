// What the sets of hooks say is so in a training.
#include "grapnel/hook_mask.h"

#include <algorithm>
#include <set>
#include <string>

#include "../support/recorder.h"
#include "catch.h"
#include "toy.h"

namespace hook_mask_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("a HookMask holds the bits that were set, at both ends of its words") {
  BitMask<130> mask;
  for (const size_t i : {size_t{0}, size_t{63}, size_t{64}, size_t{129}}) {
    CHECK_FALSE(mask.test(i));
    mask.set(i);
    CHECK(mask.test(i));
  }
  CHECK_FALSE(mask.test(1));
  CHECK_FALSE(mask.test(65));
  mask.set(64, false);
  CHECK_FALSE(mask.test(64));
  CHECK(mask.test(63));
}

TEST_CASE("kWithinBatch has the hooks that fire from a training batch's start to its end") {
  Trace trace;
  ToyModule module;
  Trainer trainer(quiet(2), {std::make_shared<Recorder>(trace)});
  trainer.fit(module, toy_data());
  std::set<std::string> seen;
  bool within = false;
  for (const std::string& entry : trace) {
    const std::string hook = entry.substr(entry.find('.') + 1);
    if (hook == "on_train_batch_start") within = true;
    if (within) {
      seen.insert(hook);
    } else {
      const auto index = std::find(kHookNames.begin(), kHookNames.end(), hook) - kHookNames.begin();
      INFO(hook);
      CHECK_FALSE(is_within_training_batch(static_cast<Hook>(index)));
    }
    if (hook == "on_train_batch_end") within = false;
  }
  std::set<std::string> said;
  for (size_t i = 0; i < kHookCount; ++i) {
    if (is_within_training_batch(static_cast<Hook>(i))) said.emplace(kHookNames[i]);
  }
  CHECK(said == seen);
}

}  // namespace hook_mask_test
