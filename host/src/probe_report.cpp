#include "probe_report.h"

#include <sstream>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

namespace grapnel::host {
namespace {

constexpr std::uint64_t max_report_bytes = std::uint64_t{4} << 20;

}  // namespace

ConfigValue to_json(const std::vector<CallbackProbe>& callbacks) {
  ConfigValue list = ConfigValue::array();
  for (const CallbackProbe& probe : callbacks) {
    ConfigValue value = ConfigValue::object();
    value.set("callback", probe.callback);
    value.set("failure", probe.failure);
    value.set("skipped", probe.skipped);
    value.set("hooks", probe.hooks);
    value.set("extensions", probe.extensions);
    list.append(std::move(value));
  }
  return list;
}

std::vector<std::string> texts(const ConfigValue& value) {
  std::vector<std::string> texts;
  for (const ConfigValue& item : value.as_array()) texts.push_back(item.as_string());
  return texts;
}

std::vector<CallbackProbe> callback_probes(const ConfigValue& value) {
  std::vector<CallbackProbe> callbacks;
  for (const ConfigValue& item : value.as_array()) {
    callbacks.push_back({.callback = item.at("callback").as_string(),
                         .failure = item.at("failure").as_string(),
                         .skipped = item.at("skipped").as_string(),
                         .hooks = texts(item.at("hooks")),
                         .extensions = texts(item.at("extensions"))});
  }
  return callbacks;
}

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

void ProbeReportWriter::done(const std::string& failure, const std::vector<std::string>& changed,
                             const std::vector<CallbackProbe>& callbacks) {
  ConfigValue value = ConfigValue::object();
  value.set("failure", failure);
  value.set("changed", changed);
  value.set("callbacks", to_json(callbacks));
  line(value);
}

ProbeReport read_probe_report(const std::filesystem::path& file) {
  ProbeReport report;
  try {
    std::istringstream lines(grapnel::read_file(file, max_report_bytes));
    for (std::string text; std::getline(lines, text);) {
      const ConfigValue value = parse_json(text, "the probe's report");
      if (const ConfigValue* step = value.find("step")) {
        report.last_step = step->as_string();
        continue;
      }
      report.failure = value.at("failure").as_string();
      report.changed = texts(value.at("changed"));
      report.callbacks = callback_probes(value.at("callbacks"));
      report.is_done = true;
    }
  } catch (const Error&) {
    report.is_done = false;  // it did not get as far as a whole report
  }
  return report;
}

}  // namespace grapnel::host
