#include "report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace grapnel::random_test {

namespace {

// Differences printed of one kind.
constexpr int kMostShown = 4;

void print_counts(const char* title, const std::map<std::string, int64_t>& counts) {
  if (counts.empty()) return;
  fmt::print("{}\n", title);
  std::vector<std::pair<std::string, int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [reason, count] : sorted) fmt::print("{:>8}  {}\n", count, reason);
}

ConfigValue as_object(const std::map<std::string, int64_t>& counts) {
  ConfigValue object = ConfigValue::object();
  for (const auto& [key, count] : counts) object.set(key, count);
  return object;
}

void add(std::map<std::string, int64_t>& counts, const ConfigValue& object) {
  for (const auto& member : object.as_object()) counts[member.key] += member.value.as_int();
}

}  // namespace

void Report::add(const Plan& plan, const CaseResult& result) {
  switch (result.status) {
    case CaseResult::Status::refused:
      ++refused_[result.reason];
      return;
    case CaseResult::Status::left_out:
      ++left_out_[result.reason];
      return;
    default:
      break;
  }
  const std::vector<Stop> stops = stops_of(plan);
  Line& line = by_stop_[stops.empty() ? "none" : stops[0].kind];
  ++line.cases;
  line.resumes += result.resumes;
  if (result.status == CaseResult::Status::differs) {
    ++line.differ;
    ++by_what_[result.differences[0].what];
  }
}

void Report::show(const Plan& plan, const CaseResult& result) const {
  fmt::print("\nDIFFERS: {}\n{}", command(plan), describe(plan));
  std::map<std::string, int> shown;
  for (const Difference& difference : result.differences) {
    if (++shown[difference.what] <= kMostShown) {
      fmt::print("  -> {:<8} {}\n", difference.what, difference.text);
    }
  }
  for (const auto& [what, count] : shown) {
    if (count > kMostShown) fmt::print("  -> {:<8} and {} more\n", what, count - kMostShown);
  }
  std::fflush(stdout);
}

int64_t Report::differing() const {
  int64_t sum = 0;
  for (const auto& [kind, line] : by_stop_) sum += line.differ;
  return sum;
}

ConfigValue Report::counts() const {
  ConfigValue lines = ConfigValue::object();
  for (const auto& [kind, line] : by_stop_) {
    lines.set(kind, std::vector<int64_t>{line.cases, line.resumes, line.differ});
  }
  ConfigValue counts;
  counts.set("by_stop", std::move(lines));
  counts.set("by_what", as_object(by_what_));
  counts.set("left_out", as_object(left_out_));
  counts.set("refused", as_object(refused_));
  return counts;
}

void Report::add_counts(const ConfigValue& counts) {
  for (const auto& member : counts.at("by_stop").as_object()) {
    Line& line = by_stop_[member.key];
    const ConfigValue::Array& numbers = member.value.as_array();
    line.cases += numbers.at(0).as_int();
    line.resumes += numbers.at(1).as_int();
    line.differ += numbers.at(2).as_int();
  }
  random_test::add(by_what_, counts.at("by_what"));
  random_test::add(left_out_, counts.at("left_out"));
  random_test::add(refused_, counts.at("refused"));
}

void Report::print_table() const {
  fmt::print("\n{:<14} {:>8} {:>8} {:>8}\n", "stop", "cases", "resumed", "differ");
  Line all;
  for (const auto& [kind, line] : by_stop_) {
    fmt::print("{:<14} {:>8} {:>8} {:>8}\n", kind, line.cases, line.resumes, line.differ);
    all.cases += line.cases;
    all.resumes += line.resumes;
    all.differ += line.differ;
  }
  fmt::print("{:<14} {:>8} {:>8} {:>8}\n", "all", all.cases, all.resumes, all.differ);
  print_counts("First difference:", by_what_);
  print_counts("Left out, as known not to be exact yet:", left_out_);
  print_counts("Refused by the trainer:", refused_);
}

}  // namespace grapnel::random_test
