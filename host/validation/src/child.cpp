#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/host/loader.h>
#include <grapnel/host/probe.h>
#include <grapnel/validation/validation.h>

#include "check.h"
#include "child_report.h"
#include "platform.h"
#include "run_check.h"
#include "subject.h"

namespace grapnel::validation {

Verdict run_check(const Check& check, const ValidationChildOptions& options) {
  try {
    const host::LoadedPlugin& plugin = host::load_plugin(
        {.manifest = std::make_shared<const host::Manifest>(host::parse_manifest(
             read_file(options.manifest, host::max_manifest_bytes), "plugin.json")),
         .library = options.library,
         .digest = hex(sha256_file(options.library)),
         .origin = options.origin,
         .reason = "validate",
         .order_reason = {}});
    std::filesystem::create_directories(options.directory / "run");
    std::filesystem::create_directories(options.directory / "data");
    Subject subject(plugin, options.directory);
    return check.run(subject);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

void run_validation_child(const ValidationChildOptions& options) {
  host::confine_this_process(host::probe_memory_bytes);
  const auto& checks = plugin_checks();
  const auto check = std::ranges::find(checks, options.check, &Check::id);
  if (check == checks.end()) std::_Exit(2);
  const Verdict verdict = run_check(*check, options);
  std::fflush(nullptr);  // what the plugin printed
  write_report(options.report, verdict);
  std::_Exit(0);  // exit.destructors is another check
}

}  // namespace grapnel::validation
