// What speaks against a plugin that is about to run: it ended a process (crash_note.h), or it did not
// pass when it was tried (probe.h). A list and each start of a training tell it; nothing is forbidden.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include <grapnel/host/discovery.h>
#include <grapnel/host/probe.h>

namespace grapnel::host {

// Sentence parts, printable; empty: nothing is known.
struct Suspicion {
  std::string crash;  // "crashed (SIGSEGV) in on_train_batch_end of its callback 'x', batch 12"
  std::string probe;  // "the process was ended by SIGSEGV (11) while loading it"

  [[nodiscard]] bool empty() const noexcept { return crash.empty() && probe.empty(); }
  // "it crashed (...) in ... the last time it ran; it failed when it was tried: ...".
  [[nodiscard]] std::string to_string() const;
};

class Suspicions {
 public:
  // Reads the results of probes; notes of crashes are read plugin by plugin.
  explicit Suspicions(const HostDirectories& directories);

  // Of a library with this digest that runs as the plugin.
  [[nodiscard]] Suspicion of(std::string_view id, std::string_view version,
                             const std::string& digest) const;
  // Of a file that was found: what was probed was a copy of it.
  [[nodiscard]] Suspicion of(const Candidate& candidate) const;

 private:
  [[nodiscard]] std::string crash_of(std::string_view id, std::string_view version) const;

  const HostDirectories& directories_;
  std::unordered_map<std::string, std::string> by_digest_;  // the causes
  std::unordered_map<std::string, std::string> by_stamp_;
};

}  // namespace grapnel::host
