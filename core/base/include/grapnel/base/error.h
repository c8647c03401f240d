// Every error that Grapnel throws, in one hierarchy below Error.
//
// Rules: what() is a whole sentence for people: what failed, what was found, what is accepted, what
// to do. The facts in it are also const fields, so that programs need not parse the text. The
// thrower makes text from files or plugins printable (text.h).
#pragma once

#include <fmt/core.h>

#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

// A place in a configuration text. Lines and columns count from 1, columns in UTF-8 code points;
// line 0 means that only the source is known (a value made by code, or by `--set`).
struct SourcePosition {
  std::string file;  // "run.json", "--set trainer.max_epochs"; empty when unknown
  int line = 0;
  int column = 0;

  // "run.json:3:14", "--set trainer.max_epochs", or "" when nothing is known.
  [[nodiscard]] GRAPNEL_BASE_API std::string to_string() const;
  bool operator==(const SourcePosition&) const = default;
};

class GRAPNEL_BASE_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);
  ~Error() override;
};

// A configuration (run.json, a manifest, `--set`, a callback's parameters) is not acceptable.
// what() starts with the position: "run.json:3:14: unknown key 'patiense' in ...".
class GRAPNEL_BASE_API ConfigError : public Error {
 public:
  ConfigError(const SourcePosition& position, const std::string& message, std::string key = {},
              std::string nearest = {});
  ~ConfigError() override;

  // For a value that came from code and has no position:
  //   throw ConfigError::of("window", "window must be at least 1, found {}", options.window);
  // `key` is the option at fault; "" when there is none.
  template <class... Args>
  [[nodiscard]] static ConfigError of(std::string key, fmt::format_string<Args...> format,
                                      Args&&... args) {
    return formatted(std::move(key), format, fmt::make_format_args(args...));
  }

  const std::string file;
  const int line;             // 0 when unknown
  const int column;           // 0 when unknown
  const std::string key;      // dotted path of the offending key; empty when no key is at fault
  const std::string nearest;  // nearest known key; empty when none is plausible

 private:
  static ConfigError formatted(std::string key, fmt::string_view format,
                               fmt::format_args arguments);
};

// Who in a plugin is concerned. Fields that do not apply stay empty.
struct PluginSite {
  std::string plugin;    // id from the manifest
  std::string version;   // version from the manifest
  std::string callback;  // callback's name within the plugin
  std::string hook;      // "on_train_batch_end"; empty before the run's first hook
};

// A plugin was refused (hook is empty: discovery, trust, ABI, create, init) or failed in a hook.
class GRAPNEL_BASE_API PluginError : public Error {
 public:
  // what() is `message`.
  PluginError(const std::string& message, PluginSite site);
  ~PluginError() override;

  // "plugin 'ema' 1.2.0: callback 'ema' failed in on_train_batch_end: <message>"
  [[nodiscard]] static PluginError in_hook(PluginSite site, const std::string& message);

  const std::string plugin;
  const std::string version;
  const std::string callback;
  const std::string hook;
};

// A checkpoint cannot be used: damaged, not a checkpoint, of a newer format, of another model.
// what() is "checkpoint '<path>': <message>", or "checkpoint: <message>" for state that does not
// come from a file. A failure to write one is an IoError.
class GRAPNEL_BASE_API CheckpointError : public Error {
 public:
  CheckpointError(const std::filesystem::path& path, const std::string& message);
  ~CheckpointError() override;

  const std::filesystem::path path;
};

// A monitored metric is missing or not a number. what() is `message`.
class GRAPNEL_BASE_API MetricError : public Error {
 public:
  MetricError(const std::string& message, std::string metric, std::vector<std::string> available);
  ~MetricError() override;

  const std::string metric;
  const std::vector<std::string> available;  // names that could have been used
};

// Data (an IDX, CSV or safetensors file, a batch) is not what it should be.
// what() is "'<path>': <message>", or `message` alone when there is no path.
class GRAPNEL_BASE_API DataError : public Error {
 public:
  explicit DataError(const std::string& message, const std::filesystem::path& path = {});
  ~DataError() override;

  const std::filesystem::path path;
  const std::string detail;  // the message without the path
};

// The operating system refused. what() is "cannot <action> '<path>': <system's text>".
class GRAPNEL_BASE_API IoError : public Error {
 public:
  // `action` continues "cannot": "open", "write to". `error_number` is an errno value (on Windows
  // the nearest errno); 0 leaves the system's text out. `hint` is appended as "; <hint>".
  IoError(std::string_view action, const std::filesystem::path& path, int error_number,
          std::string_view hint = {});
  ~IoError() override;

  const std::filesystem::path path;
  const int error_number;
};

// A signal ended the run in an orderly way (SIGINT, SIGTERM, SIGHUP, SIGUSR1).
class GRAPNEL_BASE_API Interrupted : public Error {
 public:
  explicit Interrupted(int signal_number);
  ~Interrupted() override;

  const int signal_number;
};

// Exit codes of the programs. A run ended by a signal exits with 128 + the signal's number.
enum class ExitCode : int {
  ok = 0,
  run_failed = 1,
  usage = 2,
  bad_config = 3,
  plugin_refused = 4,
  checkpoint_refused = 5,
  io_failed = 6,  // a file or directory can't be read, written or locked; a full disk
};

// What a program should exit with when this exception reaches main. A PluginError from a hook is a
// failed run (1), any other PluginError a refused plugin (4). Everything unknown is 1.
[[nodiscard]] GRAPNEL_BASE_API int exit_code_of(const std::exception& error) noexcept;

}  // namespace grapnel
