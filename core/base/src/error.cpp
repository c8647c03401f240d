#include <grapnel/base/error.h>
#include <grapnel/base/printable_lines.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include <system_error>
#include <utility>

namespace grapnel {
namespace {

std::string config_text(const SourcePosition& position, const std::string& message) {
  const std::string where = position.to_string();
  return where.empty() ? message : where + ": " + message;
}

std::string io_text(std::string_view action, const std::filesystem::path& path, int error_number,
                    std::string_view hint) {
  std::string text = "cannot " + std::string(action) + " " + quote(path.string());
  if (error_number != 0) text += ": " + std::generic_category().message(error_number);
  if (!hint.empty()) text += "; " + std::string(hint);
  return text;
}

}  // namespace

std::string SourcePosition::to_string() const {
  if (line == 0) return printable(file);
  return printable(file) + ":" + std::to_string(line) + ":" + std::to_string(column);
}

// The thrower makes foreign text printable; one that forgot it drives no terminal either.
Error::Error(const std::string& message) : std::runtime_error(detail::printable_lines(message)) {}
Error::~Error() = default;

ConfigError::ConfigError(const SourcePosition& position, const std::string& message,
                         std::string key_, std::string nearest_)
    : Error(config_text(position, message)),
      file(position.file),
      line(position.line),
      column(position.column),
      key(std::move(key_)),
      nearest(std::move(nearest_)) {}
ConfigError::~ConfigError() = default;

ConfigError ConfigError::formatted(std::string key, fmt::string_view format,
                                   fmt::format_args arguments) {
  return {{}, fmt::vformat(format, arguments), std::move(key)};
}

PluginError::PluginError(const std::string& message, PluginSite site)
    : Error(message),
      plugin(std::move(site.plugin)),
      version(std::move(site.version)),
      callback(std::move(site.callback)),
      hook(std::move(site.hook)) {}
PluginError::~PluginError() = default;

PluginError PluginError::in_hook(PluginSite site, const std::string& message) {
  std::string text = "plugin " + quote(site.plugin);
  if (!site.version.empty()) text += " " + printable(site.version);
  text += site.callback.empty() ? ": failed" : ": callback " + quote(site.callback) + " failed";
  if (!site.hook.empty()) text += " in " + printable(site.hook);
  return {text + ": " + message, std::move(site)};
}

CheckpointError::CheckpointError(const std::filesystem::path& path_, const std::string& message)
    : Error((path_.empty() ? "checkpoint: " : "checkpoint " + quote(path_.string()) + ": ") +
            message),
      path(path_) {}
CheckpointError::~CheckpointError() = default;

MetricError::MetricError(const std::string& message, std::string metric_,
                         std::vector<std::string> available_)
    : Error(message), metric(std::move(metric_)), available(std::move(available_)) {}
MetricError::~MetricError() = default;

DataError::DataError(const std::string& message, const std::filesystem::path& path_)
    : Error(path_.empty() ? message : quote(path_.string()) + ": " + message),
      path(path_),
      detail(message) {}
DataError::~DataError() = default;

IoError::IoError(std::string_view action, const std::filesystem::path& path_, int error_number_,
                 std::string_view hint)
    : Error(io_text(action, path_, error_number_, hint)),
      path(path_),
      error_number(error_number_) {}
IoError::~IoError() = default;

Interrupted::Interrupted(int signal_number_)
    : Error("interrupted by " + signal_name(signal_number_)), signal_number(signal_number_) {}
Interrupted::~Interrupted() = default;

int exit_code_of(const std::exception& error) noexcept {
  const auto code = [](ExitCode value) { return static_cast<int>(value); };
  if (dynamic_cast<const ConfigError*>(&error) != nullptr) return code(ExitCode::bad_config);
  if (dynamic_cast<const CheckpointError*>(&error) != nullptr) {
    return code(ExitCode::checkpoint_refused);
  }
  if (const auto* plugin = dynamic_cast<const PluginError*>(&error)) {
    return code(plugin->hook.empty() ? ExitCode::plugin_refused : ExitCode::run_failed);
  }
  if (const auto* signal = dynamic_cast<const Interrupted*>(&error)) {
    return 128 + signal->signal_number;
  }
  const bool is_io = dynamic_cast<const IoError*>(&error) != nullptr ||
                     dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr;
  return code(is_io ? ExitCode::io_failed : ExitCode::run_failed);
}

}  // namespace grapnel
