#include "output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/printable_lines.h>
#include <grapnel/base/text.h>
#include <grapnel/host/this_process.h>

namespace grapnel::program {
namespace {

bool shows_color(Stream stream) {
  const auto no_color = environment_variable("NO_COLOR");
  const bool is_dumb = environment_variable("TERM").value_or("") == "dumb";
  const bool is_shown =
      stream == Stream::output ? host::OwnOutput::is_terminal() : is_terminal(stream);
  return is_shown && (!no_color || no_color->empty()) && !is_dumb;
}

std::string_view code(Color color) {
  switch (color) {
    case Color::none:
      return "";
    case Color::bold:
      return "1";
    case Color::dim:
      return "2";
    case Color::red:
      return "31";
    case Color::green:
      return "32";
    case Color::yellow:
      return "33";
  }
  return "";
}

}  // namespace

std::string terminal_text(std::string_view text) {
  return detail::printable_lines(text);
}

namespace {

class ErrorStreamSink final : public LogSink {
 public:
  [[nodiscard]] bool wants(LogLevel level) const noexcept override {
    return level >= LogLevel::warning;
  }
  void write(LogLevel level, std::string_view text) override {
    const Color color = level == LogLevel::error ? Color::red : Color::yellow;
    const std::string line = fmt::format(
        "grapnel: {} {}\n", paint(std::string(to_string(level)) + ":", color, Stream::error), text);
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
};

}  // namespace

std::string paint(std::string_view text, Color color, Stream stream) {
  if (color == Color::none || !shows_color(stream)) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code(color), text);
}

int output_width() {
  if (!host::OwnOutput::is_terminal()) return 0;
  return host::OwnOutput::terminal_width().value_or(80);
}

void print(std::string_view text) {
  if (!host::OwnOutput::write(text)) throw IoError("write to", "standard output", errno);
}

void print_json(const ConfigValue& value) {
  print(write_json(value, JsonStyle::pretty));
}

void print_error(std::string_view text, std::string_view command) {
  std::string lines = fmt::format("grapnel: {} {}\n", paint("error:", Color::red, Stream::error),
                                  terminal_text(text));
  if (!command.empty()) lines += fmt::format("See '{} --help'.\n", command);
  std::fwrite(lines.data(), 1, lines.size(), stderr);
}

std::string error_text(const std::exception& error) {
  const auto* failure = dynamic_cast<const std::filesystem::filesystem_error*>(&error);
  if (failure == nullptr) return error.what();
  const std::string path = failure->path1().string();
  return fmt::format("cannot access {}: {}", path.empty() ? "the working directory" : quote(path),
                     failure->code().message());
}

void show_log() {
  set_log_sink(std::make_shared<ErrorStreamSink>());
}

}  // namespace grapnel::program
