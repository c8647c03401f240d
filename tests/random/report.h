// What a run of random_resume says: each case that differs, and the table at the end.
#pragma once

#include <grapnel/base/json.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "plan.h"
#include "resume_case.h"

namespace grapnel::random_test {

class Report {
 public:
  void add(const Plan& plan, const CaseResult& result);
  // A plan that was not run at all.
  void left_out(const std::string& reason) { ++left_out_[reason]; }

  // Prints a case that differs: the plan, the differences, the command that repeats it.
  void show(const Plan& plan, const CaseResult& result) const;

  int64_t differing() const;

  // Counts of another process, as save_counts() wrote them.
  void add_counts(const ConfigValue& counts);
  ConfigValue counts() const;
  void print_table() const;

 private:
  struct Line {
    int64_t cases = 0;
    int64_t resumes = 0;
    int64_t differ = 0;
  };
  std::map<std::string, Line> by_stop_;     // by the kind of the first stop
  std::map<std::string, int64_t> by_what_;  // first differences
  std::map<std::string, int64_t> left_out_;
  std::map<std::string, int64_t> refused_;
};

}  // namespace grapnel::random_test
