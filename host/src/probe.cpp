#include <grapnel/host/probe.h>

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/store.h>

#include "copied_manifest.h"
#include "descriptions.h"
#include "private_directory.h"
#include "probe_report.h"
#include "utc_time.h"

namespace grapnel::host {
namespace {

constexpr std::size_t max_error_tail = 2000;
constexpr std::size_t max_record_bytes = std::size_t{4} << 20;

// The host that a recorded result is valid for; any other probes again.
std::string host_mark() {
  return fmt::format("grapnel {} abi {} {} with {}", GRAPNEL_VERSION, host_abi.to_string(),
                     this_platform(), join(offered_extensions()));
}

std::filesystem::path record_file(const std::string& digest, const HostDirectories& directories) {
  return directories.cache / "probes" / (digest + ".json");
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
  const ProbeFindings findings = report.findings.value_or(ProbeFindings{});
  result.changed = findings.changed;
  result.callbacks = findings.callbacks;
  const std::string& step = report.last_step;
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
  if (!report.findings || process.exit_code != 0) {
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
    make_private_directory(directories.cache / "probes");
    ConfigValue value = to_json(result);
    value.set("host", host_mark());
    write_file(record_file(result.digest, directories), write_json(value), Durability::fast);
  } catch (const Error& error) {
    log_debug("the result of the probe was not recorded: {}", error.what());
  }
}

}  // namespace

std::string_view to_string(ProbeResult::End end) noexcept {
  return enum_text(end);
}

ProbeResult probe_plugin(const Candidate& candidate, const HostDirectories& directories,
                         const ProbeOptions& options) {
  if (!candidate.refused.empty()) {
    throw PluginError(
        fmt::format("cannot probe plugin {}: {}", candidate.describe(), candidate.refused),
        {candidate.summary.id, candidate.summary.version, {}, {}});
  }
  // Not in the store: a plugin that is being developed would fill it.
  make_private_directory(directories.cache);
  const TemporaryDirectory directory("probe-", directories.cache);
  Store store(directory / "store");
  const StoredFile library = store.put_library(candidate);
  const StoredFile manifest =
      store.put_text(manifest_of_copy(candidate, library)->text, "plugin.json");
  const std::filesystem::path report = directory / "report";
  const ProcessResult process =
      run_process({.program = options.program,
                   .arguments = {"probe-child", library.path.string(), manifest.path.string(),
                                 report.string(), candidate.library.string()},
                   .environment = {},
                   .working_directory = directory.path(),
                   .deadline_seconds = options.deadline_seconds});
  const ProbeReport steps = read_probe_report(report);
  if (steps.last_step.empty()) {
    // It did not reach the plugin, which is not to blame.
    const std::string failure = steps.findings ? steps.findings->failure : std::string();
    throw Error(fmt::format("the probe could not start: {} {}: {}", quote(options.program.string()),
                            process.describe(),
                            printable(failure.empty() ? tail(process.error) : failure)));
  }
  ProbeResult result = judge(process, steps);
  result.digest = library.digest;
  result.probed_at = utc_now();
  record(result, directories);
  return result;
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

ConfigValue to_json(const ProbeResult& result) {
  return grapnel::to_json(result);
}

}  // namespace grapnel::host
