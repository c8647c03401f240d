#include "probe_report.h"

#include <sstream>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

#include "descriptions.h"

namespace grapnel::host {
namespace {

constexpr std::uint64_t max_report_bytes = std::uint64_t{4} << 20;

}  // namespace

GRAPNEL_DESCRIBE(ProbeFindings, failure, changed, callbacks);

ProbeReportWriter::ProbeReportWriter(const std::filesystem::path& file)
    : out_(file, std::ios::binary | std::ios::app) {}

void ProbeReportWriter::line(const ConfigValue& value) {
  out_ << write_json(value) << '\n' << std::flush;
}

void ProbeReportWriter::step(std::string_view what) {
  ConfigValue value = ConfigValue::object();
  value.set("step", what);
  line(value);
}

void ProbeReportWriter::done(const ProbeFindings& findings) {
  line(grapnel::to_json(findings));
}

ProbeReport read_probe_report(const std::filesystem::path& file) {
  ProbeReport report;
  try {
    std::istringstream lines(grapnel::read_file(file, max_report_bytes));
    for (std::string text; std::getline(lines, text);) {
      const ConfigValue value = parse_json(text, "the probe's report");
      if (const ConfigValue* step = value.find("step")) {
        report.last_step = step->as_string();
      } else {
        report.findings.push_back(from_json<ProbeFindings>(value));
      }
    }
  } catch (const Error&) {
    report.findings.clear();  // the child died while it wrote
  }
  return report;
}

}  // namespace grapnel::host
