#include "worker.h"

#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <optional>
#include <sstream>
#include <thread>

namespace grapnel::oracle {
namespace {

constexpr std::size_t kCasesPerChild = 24;
constexpr double kSecondsPerCase = 20.0;
constexpr double kSecondsToStart = 30.0;

Json strings(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.append(text);
  return list;
}

Json to_json(const Verdict& verdict) {
  Json json = Json::object();
  json.set("status", static_cast<int>(verdict.status));
  json.set("rule", verdict.rule);
  json.set("problems", strings(verdict.problems));
  json.set("log", strings(verdict.log));
  return json;
}

Verdict from_json(const Json& json) {
  Verdict verdict;
  verdict.status = static_cast<Verdict::Status>(json.at("status").as_int());
  verdict.rule = json.at("rule").as_string();
  for (const Json& text : json.at("problems").as_array()) {
    verdict.problems.push_back(text.as_string());
  }
  for (const Json& text : json.at("log").as_array()) verdict.log.push_back(text.as_string());
  return verdict;
}

void say(const char* key, Json value) {
  Json line = Json::object();
  line.set(key, std::move(value));
  std::cout << write_json(line) << std::endl;
}

// The verdicts of a child's output; the last case that began without one is left out.
std::vector<Verdict> verdicts_of(const std::string& output) {
  std::vector<Verdict> verdicts;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const Json json = parse_json(line, "a child's report");
    if (const Json* verdict = json.find("verdict")) verdicts.push_back(from_json(*verdict));
  }
  return verdicts;
}

std::string last_lines(const std::string& text, std::size_t max_bytes) {
  return text.size() <= max_bytes ? text : "..." + text.substr(text.size() - max_bytes);
}

// Runs cases[begin, end), with a new child after each one that takes its child down.
void run_chunk(const std::vector<Case>& cases, std::size_t begin, std::size_t end,
               std::vector<std::optional<Verdict>>& verdicts) {
  while (begin < end) {
    ProcessOptions options;
    options.program = executable_path();
    options.arguments = {"--child"};
    for (std::size_t i = begin; i < end; ++i) options.arguments.push_back(cases[i].file.string());
    options.environment = {{"OMP_NUM_THREADS", "1"}};
    options.deadline_seconds = kSecondsToStart + kSecondsPerCase * static_cast<double>(end - begin);
    options.max_output_bytes = std::size_t{64} << 20;
    const ProcessResult child = run_process(options);
    for (Verdict& verdict : verdicts_of(child.output)) {
      if (begin < end) verdicts[begin++] = std::move(verdict);
    }
    if (begin == end) return;
    Verdict lost;
    lost.problems = {"the process " + child.describe()};
    if (!child.error.empty()) lost.problems[0] += ": " + last_lines(child.error, 1000);
    verdicts[begin++] = std::move(lost);
  }
}

}  // namespace

int run_as_child(const std::vector<std::filesystem::path>& files) {
  for (const auto& file : files) {
    const Case test = read_case(file);
    say("begin", test.name);
    say("verdict", to_json(run_case(test)));
  }
  return 0;
}

void run_in_children(const std::vector<Case>& cases, int jobs,
                     const std::function<void(const Case&, const Verdict&)>& report) {
  std::vector<std::optional<Verdict>> verdicts(cases.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < jobs; ++i) {
    threads.emplace_back([&] {
      while (true) {
        const std::size_t begin = next.fetch_add(kCasesPerChild);
        if (begin >= cases.size()) return;
        run_chunk(cases, begin, std::min(begin + kCasesPerChild, cases.size()), verdicts);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < cases.size(); ++i) report(cases[i], *verdicts[i]);
}

}  // namespace grapnel::oracle
