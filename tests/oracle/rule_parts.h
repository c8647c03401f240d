// What several rules of deviations.cpp need: questions about a case, and checks of what was observed.
#pragma once

#include <initializer_list>
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

// A ConfigError whose message names these.
std::vector<std::string> check_config_error(const Json& observed,
                                            const std::vector<std::string>& facts);

// Two fits, the second of them from a checkpoint.
bool fits_and_resumes(const Case& test);

// Such a case as one fit that is never stopped, under the options of the second.
Case uninterrupted(const Case& test);

}  // namespace grapnel::oracle
