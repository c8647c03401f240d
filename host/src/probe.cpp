#include <grapnel/host/probe.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/store.h>

#include "copied_manifest.h"
#include "descriptions.h"
#include "platform.h"
#include "private_directory.h"
#include "probe_report.h"
#include "unwritable_home.h"
#include "utc_time.h"

namespace grapnel::host {
namespace {

constexpr std::string_view directory_prefix = "probe-";
constexpr std::size_t max_error_tail = 2000;
constexpr std::size_t max_record_bytes = std::size_t{4} << 20;

// The host that a recorded result is valid for; any other probes again.
std::string host_mark() {
  return fmt::format("grapnel {} abi {} {} with {}", GRAPNEL_VERSION, host_abi.to_string(),
                     this_platform(), join(offered_extensions()));
}

std::filesystem::path records(const HostDirectories& directories) {
  return directories.cache / "probes";
}

std::filesystem::path record_file(const std::string& digest, const HostDirectories& directories) {
  return records(directories) / (digest + ".json");
}

// An empty file beside the record of a library that did not pass: a list of a thousand plugins looks at
// names alone.
constexpr std::string_view failure_suffix = ".failed";

std::filesystem::path failure_mark(const std::string& digest, const HostDirectories& directories) {
  return records(directories) / (digest + std::string(failure_suffix));
}

std::string tail(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() <= max_error_tail) return std::string(text);
  text.remove_prefix(text.size() - max_error_tail);
  // From the start of a line if there is one.
  const std::size_t line = text.find('\n');
  return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

std::string first_failure(const std::vector<CallbackProbe>& callbacks) {
  for (const CallbackProbe& probe : callbacks) {
    if (!probe.failure.empty()) {
      return fmt::format("callback {}: {}", quote(probe.callback), probe.failure);
    }
  }
  return {};
}

ProbeResult judge(const ProcessResult& process, const ProbeReport& report) {
  using End = ProbeResult::End;
  ProbeResult result;
  result.seconds = process.seconds;
  result.error_tail = tail(process.error);
  const ProbeFindings findings =
      report.findings.empty() ? ProbeFindings{} : report.findings.front();
  result.changed = findings.changed;
  result.callbacks = findings.callbacks;
  result.refused = !findings.failure.empty();
  result.step = report.last_step;
  const std::string& step = result.step;
  switch (process.end) {
    case ProcessResult::End::signalled:
      result.end = End::crashed;
      result.signal = process.signal_number;
      result.cause = fmt::format("the process {} while {}", process.describe(), step);
      return result;
    case ProcessResult::End::timed_out:
      result.end = End::hung;
      result.cause = fmt::format("{} {}", step, process.describe());
      return result;
    case ProcessResult::End::exited:
      break;
  }
  if (report.findings.empty() || process.exit_code != 0) {
    result.end = End::exited;
    result.exit_code = process.exit_code;
    result.cause = fmt::format("the process {} while {}; a plugin must not end the process",
                               process.describe(), step);
    return result;
  }
  result.cause = findings.failure.empty() ? first_failure(result.callbacks) : findings.failure;
  if (result.cause.empty() && !result.changed.empty()) {
    result.cause = fmt::format("it changed {}, which plugins must not do", join(result.changed));
  }
  result.end = result.cause.empty() ? End::passed : End::failed;
  return result;
}

void record(const ProbeResult& result, const HostDirectories& directories) {
  try {
    make_private_directory(records(directories));
    ConfigValue value = to_json(result);
    value.set("host", host_mark());
    write_file(record_file(result.digest, directories), write_json(value), Durability::fast);
    if (result.ok()) {
      (void)remove_file(failure_mark(result.digest, directories));
    } else {
      write_file(failure_mark(result.digest, directories), "", Durability::fast);
    }
  } catch (const Error& error) {
    log_debug("the result of the probe was not recorded: {}", error.what());
  }
}

// A directory for the child: in the cache, where that can be written.
TemporaryDirectory make_directory(const HostDirectories& directories,
                                  std::shared_ptr<const TemporaryDirectory>& elsewhere) {
  try {
    make_private_directory(directories.cache);
    remove_stale_directories(directories.cache, directory_prefix);
    return TemporaryDirectory(directory_prefix, directories.cache);
  } catch (const IoError& error) {
    elsewhere = directory_for_this_run(error, directories.cache, "XDG_CACHE_HOME");
    return TemporaryDirectory(directory_prefix, elsewhere->path());
  }
}

// Private copies of plugins, and the child that tries them.
class Trial {
 public:
  explicit Trial(const HostDirectories& directories)
      : directory_(make_directory(directories, elsewhere_)),
        // Not in the user's: a plugin that is being developed would fill it.
        store_(directory_ / "store"),
        writer_(store_, StoreSync::never) {}

  void add(const Candidate& candidate) {
    if (!candidate.refused.empty()) {
      throw PluginError(
          fmt::format("cannot probe plugin {}: {}", candidate.describe(), candidate.refused),
          {candidate.summary.id, candidate.summary.version, {}, {}});
    }
    const StoredFile library = writer_.put_library(candidate);
    const StoredFile manifest =
        writer_.put_text(manifest_of_copy(candidate, library)->text, "plugin.json");
    copies_.push_back({library, manifest, &candidate});
  }

  // Whether one of them may be linked with LibTorch, by itself or through others.
  [[nodiscard]] bool may_need_libtorch() const {
    return std::ranges::any_of(copies_, [](const Copy& copy) {
      return may_reach_libtorch(read_library_file(copy.library.path));
    });
  }

  [[nodiscard]] ProcessResult run(const std::filesystem::path& program,
                                  double deadline_seconds) const {
    std::vector<std::string> arguments = {"probe-child"};
    for (const Copy& copy : copies_) {
      arguments.insert(arguments.end(), {copy.library.path.string(), copy.manifest.path.string(),
                                         copy.candidate->library.string()});
    }
    arguments.push_back(report_file().string());
    return run_process({.program = program,
                        .arguments = arguments,
                        .environment = {},
                        .working_directory = directory_.path(),
                        .deadline_seconds = deadline_seconds});
  }

  [[nodiscard]] ProbeReport report() const { return read_probe_report(report_file()); }

  void identify(std::size_t index, ProbeResult& result) const {
    const Copy& copy = copies_[index];
    result.digest = copy.library.digest;
    result.manifest_digest = copy.manifest.digest;
    result.origin_stamp = file_stamp(copy.candidate->identity);
    result.probed_at = utc_now();
  }

 private:
  struct Copy {
    StoredFile library;
    StoredFile manifest;
    const Candidate* candidate;
  };

  [[nodiscard]] std::filesystem::path report_file() const { return directory_ / "report"; }

  std::shared_ptr<const TemporaryDirectory> elsewhere_;  // before directory_, which may lie in it
  const TemporaryDirectory directory_;
  const Store store_;
  StoreWriter writer_;
  std::vector<Copy> copies_;
};

}  // namespace

std::string_view to_string(ProbeResult::End end) noexcept {
  return enum_text(end);
}

bool ProbeResult::stops_trainings() const noexcept {
  switch (end) {
    case End::passed:
      return false;
    case End::crashed:
    case End::hung:
    case End::exited:
      return step != ending_step;
    case End::failed:
      return refused || std::ranges::any_of(callbacks, [](const CallbackProbe& callback) {
               return !callback.failure.empty() && !callback.wants_training;
             });
  }
  return false;
}

ProbeResult probe_plugin(const Candidate& candidate, const HostDirectories& directories,
                         const ProbeOptions& options) {
  const OrphanTrap orphans;
  Trial trial(directories);
  trial.add(candidate);
  const bool with_libtorch = !options.libtorch_program.empty() && trial.may_need_libtorch();
  const std::filesystem::path& program = with_libtorch ? options.libtorch_program : options.program;
  const ProcessResult process = trial.run(program, options.deadline_seconds);
  const ProbeReport steps = trial.report();
  if (steps.last_step.empty()) {
    // It did not reach the plugin, which is not to blame.
    const std::string failure =
        steps.findings.empty() ? std::string() : steps.findings.front().failure;
    throw Error(fmt::format("the probe could not start: {} {}: {}", quote(program.string()),
                            process.describe(),
                            printable(failure.empty() ? tail(process.error) : failure)));
  }
  ProbeResult result = judge(process, steps);
  trial.identify(0, result);
  record(result, directories);
  return result;
}

std::vector<ProbeResult> probe_together(const std::vector<const Candidate*>& candidates,
                                        const HostDirectories& directories,
                                        const ProbeOptions& options) {
  const OrphanTrap orphans;
  Trial trial(directories);
  for (const Candidate* candidate : candidates) trial.add(*candidate);
  const ProcessResult process = trial.run(options.program, options.deadline_seconds);
  const ProbeReport all = trial.report();
  if (all.findings.size() != candidates.size()) return {};
  std::vector<ProbeResult> results;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    results.push_back(judge(process, {.last_step = all.last_step, .findings = {all.findings[i]}}));
    if (!results.back().ok()) return {};
    results.back().seconds /= static_cast<double>(candidates.size());
    trial.identify(i, results.back());
  }
  for (const ProbeResult& result : results) record(result, directories);
  return results;
}

std::optional<ProbeResult> recorded_probe(const std::string& digest,
                                          const HostDirectories& directories) {
  const std::filesystem::path file = record_file(digest, directories);
  if (!is_digest(digest) || !file_identity(file)) return std::nullopt;
  try {
    const ConfigValue value = read_json_file(file, {.max_bytes = max_record_bytes});
    if (value.at("host").as_string() != host_mark()) return std::nullopt;
    return from_json<ProbeResult>(value);
  } catch (const Error& error) {
    log_debug("the recorded probe is not used: {}", error.what());
    return std::nullopt;
  }
}

std::vector<ProbeResult> recorded_failures(const HostDirectories& directories) {
  std::vector<ProbeResult> failures;
  std::error_code error;
  for (std::filesystem::directory_iterator it(records(directories), error), end;
       !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.ends_with(failure_suffix)) continue;
    name.resize(name.size() - failure_suffix.size());
    if (auto result = recorded_probe(name, directories); result && !result->ok()) {
      failures.push_back(std::move(*result));
    }
  }
  return failures;
}

ConfigValue to_json(const ProbeResult& result) {
  return grapnel::to_json(result);
}

}  // namespace grapnel::host
