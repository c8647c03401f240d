// What several rules of deviations.cpp need: questions about a case, and checks of what was observed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

// Among the trainer's callbacks.
bool has_callback(const Case& test, std::string_view type);

// An argument of a callback's spec; null without it.
const Json& argument(const Json& spec, std::string_view key);

// The recording without some of its keys.
Json expect_without(const Case& test, std::initializer_list<std::string_view> left_out);

// Does the text have it as a word: not within another name or number?
bool names(const std::string& text, const std::string& word);

// A ConfigError whose message names these.
std::vector<std::string> check_config_error(const Json& observed,
                                            const std::vector<std::string>& facts);

// Two fits, the second of them from a checkpoint.
bool fits_and_resumes(const Case& test);

// A file that is there already gets a number in its name, "e2-v1.ckpt", which a run without a stop has
// no need of: what was observed, without such numbers.
Json without_versions(const Json& observed);

// The first call of several, alone; what its checkpoints hold is observed too.
Case first_call(const Case& test);

// What the checkpoint to go on from holds, as the first fit alone leaves it; null for "last" and such.
Json checkpoint_of(const Case& test, const Json& first);

// Such a case as one fit that is never stopped, under the options of the second.
Case uninterrupted(const Case& test);

// What was seen of a resumed run, against the first of its fits alone and against the run that was
// never stopped. Each function adds its problems to a list.
class ResumedRun {
 public:
  ResumedRun(const Case& test, const Json& observed);

  const Json& first() const { return first_; }
  const Json& whole() const { return whole_; }

  // Values at the end: those of the whole.
  void compare_end(std::initializer_list<const char*> keys, std::vector<std::string>& problems);
  // Lists that grow during both fits: that of the first, then the last ones of the whole;
  // of those with one entry per training batch, as many as the checkpoint's run had yet to train.
  void compare_tails(std::initializer_list<const char*> keys, std::vector<std::string>& problems);

 private:
  const Json& observed_;
  Json first_;
  Json whole_;
  std::optional<std::int64_t> batches_before_;  // trained by the checkpoint's run
};

}  // namespace grapnel::oracle
