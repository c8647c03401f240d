#include <grapnel/validation/validation.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/sealing.h>
#include <grapnel/host/store.h>

#include "check.h"
#include "child_report.h"
#include "copied_manifest.h"
#include "load_checks.h"
#include "platform.h"
#include "run_check.h"
#include "selected_checks.h"
#include "static_checks.h"

namespace grapnel::validation {
namespace {

constexpr int children_at_a_time = 2;
constexpr std::size_t max_quoted = 300;  // bytes of a plugin's output

bool is_bad(CheckResult result) {
  return result == CheckResult::fail || result == CheckResult::crash ||
         result == CheckResult::timeout;
}

// The plugin's private copy, and the children that check it.
class Children {
 public:
  Children(const host::Candidate& candidate, const ValidationOptions& options)
      : candidate_(candidate),
        options_(options),
        store_(directory_ / "store"),
        writer_(store_, host::StoreSync::never),
        library_(writer_.put_library(candidate)),
        manifest_(writer_.put_text(manifest_of_copy(candidate, library_)->text, "plugin.json")) {
    const bool with_libtorch = !options.probe.libtorch_program.empty() &&
                               host::may_reach_libtorch(host::read_library_file(library_.path));
    program_ = with_libtorch ? options.probe.libtorch_program : options.probe.program;
  }

  Verdict run(const Check& check) {
    const ValidationChildOptions files = files_of(check);
    std::filesystem::create_directories(files.directory);
    if (options_.in_process) return run_check(check, files);
    const ProcessResult process =
        run_process({.program = program_,
                     .arguments = {"validate-child", files.check, files.library.string(),
                                   files.manifest.string(), files.origin.string(),
                                   files.directory.string(), files.report.string()},
                     .environment = {},
                     .working_directory = files.directory,
                     .deadline_seconds = options_.probe.deadline_seconds});
    return judge(check, process, read_report(files.report));
  }

 private:
  [[nodiscard]] ValidationChildOptions files_of(const Check& check) const {
    const std::string name(check.id);
    return {.check = name,
            .library = library_.path,
            .manifest = manifest_.path,
            .origin = candidate_.library,
            .directory = directory_ / name,
            .report = directory_ / (name + ".json")};
  }

  static Verdict judge(const Check& check, const ProcessResult& process,
                       std::optional<Verdict> verdict) {
    if (process.end == ProcessResult::End::timed_out) {
      return {CheckResult::timeout, "it " + process.describe()};
    }
    if (process.end == ProcessResult::End::signalled) {
      return {CheckResult::crash, "the process " + process.describe()};
    }
    if (!verdict) {
      return {CheckResult::crash,
              fmt::format("the process {}; a plugin must not end the process", process.describe())};
    }
    if (check.id == "exit.output" && !process.output.empty()) {
      return fail(fmt::format("it wrote to standard output, which is the program's: {}",
                              quote(process.output.substr(0, max_quoted))));
    }
    return *verdict;
  }

  const host::Candidate& candidate_;
  const ValidationOptions& options_;
  TemporaryDirectory directory_{"grapnel-validate-"};
  host::Store store_;
  host::StoreWriter writer_;
  host::StoredFile library_;
  host::StoredFile manifest_;
  std::filesystem::path program_;
};

class Validator {
 public:
  Validator(const host::Candidate& candidate, const host::HostDirectories& directories,
            const ValidationOptions& options)
      : directories_(directories), options_(options), selected_(options.only) {
    result_.candidate = candidate;
  }

  Validation run() {
    for (CheckReport& report : run_static_checks(result_.candidate)) {
      add(std::move(report), report.id == "static.usable" && is_bad(report.result));
    }
    if (result_.candidate.refused.empty()) {
      load();
    } else {
      prevented_ = "the plugin is refused, see static.usable";
      for (const LoadCheck& check : load_checks()) skipped(check.id, check.title);
    }
    check_plugin();
    return std::move(result_);
  }

 private:
  // prevents: others are skipped because of it, so that it is told even if it isn't selected.
  void add(CheckReport report, bool prevents = false) {
    if (prevents || selected_.contains(report.id)) result_.checks.push_back(std::move(report));
  }
  void skipped(std::string_view id, std::string_view title) {
    add({.id = std::string(id),
         .group = std::string(group_of(id)),
         .title = std::string(title),
         .result = CheckResult::skip,
         .detail = prevented_});
  }

  void load() {
    if (options_.in_process) {
      prevented_ = "it is done in a child process";
      for (const LoadCheck& check : load_checks()) skipped(check.id, check.title);
      prevented_.clear();
      return;
    }
    const host::ProbeResult probe = probe_plugin(result_.candidate, directories_, options_.probe);
    for (CheckReport& report : judge_probe(probe, *read_manifest(result_.candidate))) {
      const bool prevents = is_bad(report.result) && report.group == "load" &&
                            report.id != "load.process_state" && prevented_.empty();
      if (prevents) prevented_ = fmt::format("{} did not pass", report.id);
      add(std::move(report), prevents);
    }
  }

  void check_plugin() {
    std::vector<const Check*> wanted;
    for (const Check& check : plugin_checks()) {
      if (selected_.contains(check.id)) wanted.push_back(&check);
    }
    if (wanted.empty()) return;
    if (!prevented_.empty()) {
      for (const Check* check : wanted) skipped(check->id, check->title);
      return;
    }
    const host::OrphanTrap orphans;
    Children children(result_.candidate, options_);
    std::vector<Verdict> verdicts(wanted.size());
    std::size_t first = 0;
    if (wanted.front()->id == first_check) {
      verdicts[first++] = children.run(*wanted.front());
      const CheckResult result = verdicts.front().result;
      if (result == CheckResult::crash || result == CheckResult::timeout) {
        prevented_ = fmt::format("{} did not pass", first_check);
        for (std::size_t i = first; i < wanted.size(); ++i) verdicts[i] = skip(prevented_);
        first = wanted.size();
      }
    }
    run_together(children, wanted, verdicts, first);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      add({.id = std::string(wanted[i]->id),
           .group = std::string(group_of(wanted[i]->id)),
           .title = std::string(wanted[i]->title),
           .result = verdicts[i].result,
           .detail = std::move(verdicts[i].detail)});
    }
  }

  void run_together(Children& children, const std::vector<const Check*>& wanted,
                    std::vector<Verdict>& verdicts, std::size_t first) const {
    std::atomic<std::size_t> next = first;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
      try {
        for (std::size_t i = next++; i < wanted.size(); i = next++) {
          verdicts[i] = children.run(*wanted[i]);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
    };
    std::vector<std::thread> others;
    for (int i = 1; i < children_at_a_time && !options_.in_process; ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
  }

  const host::HostDirectories& directories_;
  const ValidationOptions& options_;
  const SelectedChecks selected_;
  Validation result_;
  std::string prevented_;  // why the plugin's checks can't run; empty: they can
};

}  // namespace

bool Validation::ok() const noexcept {
  return std::ranges::none_of(checks,
                              [](const CheckReport& check) { return is_bad(check.result); });
}

Validation validate_plugin(const host::Candidate& candidate,
                           const host::HostDirectories& directories,
                           const ValidationOptions& options) {
  return Validator(candidate, directories, options).run();
}

ConfigValue to_json(const Validation& validation) {
  ConfigValue checks = ConfigValue::array();
  for (const CheckReport& check : validation.checks) {
    ConfigValue entry = ConfigValue::object();
    entry.set("id", check.id);
    entry.set("group", check.group);
    entry.set("result", std::string(to_string(check.result)));
    entry.set("detail", check.detail);
    checks.append(std::move(entry));
  }
  ConfigValue root = ConfigValue::object();
  root.set("plugin", validation.candidate.label());
  root.set("checks", std::move(checks));
  return root;
}

}  // namespace grapnel::validation
