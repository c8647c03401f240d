#include <grapnel/host/suspicion.h>

#include <fmt/format.h>

#include <vector>

#include <grapnel/base/text.h>
#include <grapnel/host/crash_note.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/running_note.h>

namespace grapnel::host {
namespace {

std::string text_of(const std::unordered_map<std::string, std::string>& causes,
                    const std::string& key) {
  const auto cause = causes.find(key);
  return cause == causes.end() ? std::string() : cause->second;
}

}  // namespace

std::string Suspicion::to_string() const {
  std::vector<std::string> parts;
  if (!crash.empty()) parts.push_back(fmt::format("it {} the last time it ran", crash));
  if (!probe.empty()) parts.push_back("it failed when it was tried: " + probe);
  return join(parts, "; ");
}

Suspicions::Suspicions(const HostDirectories& directories) : directories_(directories) {
  read_running_notes(directories);
  for (const ProbeResult& result : recorded_failures(directories)) {
    if (!result.stops_trainings()) continue;
    by_digest_.emplace(result.digest, printable(result.cause));
    by_stamp_.emplace(result.origin_stamp, printable(result.cause));
  }
}

Suspicion Suspicions::of(std::string_view id, std::string_view version,
                         const std::string& digest) const {
  return {.crash = crash_of(id, version), .probe = text_of(by_digest_, digest)};
}

std::string Suspicions::crash_of(std::string_view id, std::string_view version) const {
  const auto note = read_crash_note(id, directories_);
  return note && note->version == printable(version) ? note->what : std::string();
}

Suspicion Suspicions::of(const Candidate& candidate) const {
  const PluginSummary& summary = candidate.summary;
  return {.crash = summary.id.empty() ? std::string() : crash_of(summary.id, summary.version),
          .probe = text_of(by_stamp_, file_stamp(candidate.identity))};
}

}  // namespace grapnel::host
