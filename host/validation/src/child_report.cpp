#include "child_report.h"

#include <array>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/text.h>

namespace grapnel::validation {
namespace {

constexpr std::uint64_t max_report_bytes = std::uint64_t{1} << 20;
constexpr std::array all_results = {CheckResult::pass,  CheckResult::warn,    CheckResult::fail,
                                    CheckResult::crash, CheckResult::timeout, CheckResult::skip};

}  // namespace

std::string_view to_string(CheckResult result) noexcept {
  switch (result) {
    case CheckResult::pass:
      return "pass";
    case CheckResult::warn:
      return "warn";
    case CheckResult::fail:
      return "fail";
    case CheckResult::crash:
      return "crash";
    case CheckResult::timeout:
      return "timeout";
    case CheckResult::skip:
      return "skip";
  }
  return "";
}

void write_report(const std::filesystem::path& file, const Verdict& verdict) {
  ConfigValue value = ConfigValue::object();
  value.set("result", std::string(to_string(verdict.result)));
  value.set("detail", printable(verdict.detail));
  write_file(file, write_json(value), Durability::fast);
}

std::optional<Verdict> read_report(const std::filesystem::path& file) {
  try {
    const ConfigValue value = read_json_file(file, {.max_bytes = max_report_bytes});
    for (const CheckResult result : all_results) {
      if (value.at("result").as_string() == to_string(result)) {
        return Verdict{result, value.at("detail").as_string()};
      }
    }
  } catch (const Error&) {
  }
  return std::nullopt;
}

}  // namespace grapnel::validation
