// Rules about runs that go on from a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

bool resumes_mid_epoch(const Case& test);
std::vector<std::string> check_exact_resume(const Case& test, const Json& observed);

bool resumes_changed_model(const Case& test);
std::vector<std::string> check_changes_go_on(const Case& test, const Json& observed);

bool loads_saved_state(const Case& test);
std::vector<std::string> check_loads(const Case& test, const Json& observed);

bool evaluates_average(const Case& test);
std::vector<std::string> check_average_evaluated(const Case& test, const Json& observed);

bool resumes_past_max_epochs(const Case& test);
std::vector<std::string> check_refused_without_trace(const Case& test, const Json& observed);

}  // namespace grapnel::oracle
