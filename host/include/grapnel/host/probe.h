// Tries a plugin in a child process: loads it, creates each callback with its default parameters in
// a minimal host, and destroys it. A crash, a hang or an exit ends only the child, and is a result.
//
// The child is a program that calls run_probe_child(): `grapnel` itself, with the hidden subcommand
// `probe-child`. It gets 1 GiB of memory, and what it leaves running is ended with it. Results are
// cached by the library's digest and the host's version.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/host/discovery.h>

namespace grapnel::host {

// The result for one callback.
struct CallbackProbe {
  std::string callback;
  std::string failure;  // "init failed: ..."; empty when it was created and destroyed
  std::string skipped;  // why it was not tried: a parameter has no default; else empty
  // It failed after it had called a service that only a training offers: there it may not fail.
  bool wants_training = false;
  std::vector<std::string> hooks;       // the hooks it implements, by name
  std::vector<std::string> extensions;  // the extensions it asked the host for
};

struct ProbeResult {
  enum class End : std::uint8_t {
    passed,   // every callback was created and destroyed
    failed,   // the library or a callback refused
    crashed,  // ended by a signal
    hung,     // did not finish before the deadline
    exited,   // the plugin ended the process
  };
  End end = End::passed;
  std::string cause;       // a sentence; empty when passed
  std::string step;        // what it did last: "loading it", "ending the process"
  bool refused = false;    // failed, and the library as a whole: not one callback was tried
  int signal = 0;          // its number, of a crash
  int exit_code = 0;       // of an exit
  std::string error_tail;  // the last lines the child wrote to standard error
  double seconds = 0.0;    // wall time of the child
  std::vector<std::string> changed;  // what it changed in the process: "the locale (...)"
  std::vector<CallbackProbe> callbacks;
  std::string digest;           // SHA-256 of the library that was probed
  std::string manifest_digest;  // of the manifest that it was probed with
  std::string origin_stamp;     // identity of the file that it was copied from (file_stamp())
  std::string probed_at;        // UTC, ISO 8601

  [[nodiscard]] bool ok() const noexcept { return end == End::passed; }
  // Whether every training with the plugin can be expected to fail: it can't be loaded, or a callback
  // can't be created with its default parameters. What the host undoes or never lets happen (a changed
  // umask, a crash in a static destructor) doesn't stop one.
  [[nodiscard]] bool stops_trainings() const noexcept;
};

[[nodiscard]] std::string_view to_string(ProbeResult::End end) noexcept;

// What a probed plugin may use, beyond what the child has before it loads the plugin.
inline constexpr std::uint64_t probe_memory_bytes = std::uint64_t{1} << 30;

struct ProbeOptions {
  std::filesystem::path program;  // the child, called as `PROGRAM probe-child ...`
  // The same in the place of `program` for a library that may need LibTorch, with which it is linked;
  // empty: there is none.
  std::filesystem::path libtorch_program{};
  double deadline_seconds = 10.0;  // then the child and its descendants are killed
};

// Probes a private copy of the candidate's library and records the result. Several threads may. Where
// the cache can't be written, a private directory is used, and the log says so. PluginError when it is
// refused before anything could run; IoError when the child can't be started, Error when it did not
// get as far as loading the library, which is not recorded.
[[nodiscard]] ProbeResult probe_plugin(const Candidate& candidate,
                                       const HostDirectories& directories,
                                       const ProbeOptions& options);

// The same of several in one child, which takes a fraction of the time. Their results, recorded, when all
// passed; otherwise nothing, and nothing is recorded: try them one by one.
[[nodiscard]] std::vector<ProbeResult> probe_together(
    const std::vector<const Candidate*>& candidates, const HostDirectories& directories,
    const ProbeOptions& options);

// The recorded result for this library and this version of the host; nullopt when there is none.
[[nodiscard]] std::optional<ProbeResult> recorded_probe(const std::string& digest,
                                                        const HostDirectories& directories);

// The recorded results for this version of the host of libraries that did not pass.
[[nodiscard]] std::vector<ProbeResult> recorded_failures(const HostDirectories& directories);

// As `--json` prints it and the cache keeps it.
[[nodiscard]] ConfigValue to_json(const ProbeResult& result);

// The arguments of `probe-child`: three for each plugin, then the report.
struct ProbeChildOptions {
  struct Plugin {
    std::filesystem::path library;   // a copy that only this user can change
    std::filesystem::path manifest;  // plugin.json
    std::filesystem::path origin;    // where the copy came from, for messages
  };
  std::vector<Plugin> plugins;
  std::filesystem::path report;  // to be written
};

// Runs in the child: loads each library, creates and destroys its callbacks, and writes each step to
// the report before it is taken, so that the last one is known if the process dies.
void run_probe_child(const ProbeChildOptions& options);

}  // namespace grapnel::host
