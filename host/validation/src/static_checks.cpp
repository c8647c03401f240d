#include "static_checks.h"

#include <algorithm>
#include <optional>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/sealing.h>

namespace grapnel::validation {
namespace {

// Those of check_sealing(), in its order.
constexpr std::string_view sealing_ids[] = {
    "static.exports",  "static.unique_symbols",   "static.cxx_runtime",
    "static.libtorch", "static.libtorch_symbols", "static.search_paths",
    "static.paths",    "static.text_relocations", "static.executable_stack"};

class StaticChecks {
 public:
  explicit StaticChecks(const host::Candidate& candidate) : candidate_(candidate) {}

  std::vector<CheckReport> run() {
    check_manifest();
    check_library();
    check_usable();
    return std::move(reports_);
  }

 private:
  void add(std::string_view id, CheckResult result, std::string detail) {
    const auto& all = static_checks();
    const auto known = std::ranges::find(all, id, &StaticCheck::id);
    reports_.push_back({.id = std::string(id),
                        .group = "static",
                        .title = std::string(known->title),
                        .result = result,
                        .detail = std::move(detail)});
  }
  // A pass when nothing was found.
  void judge(std::string_view id, CheckResult result, std::string found) {
    const CheckResult outcome = found.empty() ? CheckResult::pass : result;
    add(id, outcome, std::move(found));
  }

  void check_manifest() {
    std::shared_ptr<const host::Manifest> manifest;
    std::string error;
    try {
      if (!candidate_.summary.id.empty()) manifest = read_manifest(candidate_);
    } catch (const Error& caught) {
      error = caught.what();
    }
    if (manifest == nullptr) {
      if (error.empty() && has_manifest()) error = candidate_.refused;
      add("static.manifest", error.empty() ? CheckResult::skip : CheckResult::fail,
          error.empty() ? "static.usable gives the reason" : error);
      for (const char* id : {"static.manifest_keys", "static.license"}) {
        add(id, CheckResult::skip, "its manifest can't be read");
      }
      return;
    }
    add("static.manifest", CheckResult::pass, "");
    judge("static.manifest_keys", CheckResult::warn, join(manifest->warnings, "; "));
    judge("static.license", CheckResult::warn,
          manifest->license.empty() ? "the manifest names none: add \"license\", an SPDX expression"
                                    : "");
  }

  [[nodiscard]] bool has_manifest() const {
    if (!candidate_.manifest_file.empty()) return true;
    try {
      return host::read_library_file(candidate_.library).manifest.has_value();
    } catch (const Error&) {
      return false;
    }
  }

  void check_library() {
    std::optional<host::LibraryFacts> facts;
    std::string why = "its library can't be read";
    try {
      facts = host::read_library_file(candidate_.library);
      if (facts->format != host::LibraryFormat::elf || !facts->unloadable.empty()) facts.reset();
      why = "it is not a library of a kind that is checked";
    } catch (const Error&) {
    }
    if (!facts) {
      add("static.embedded", CheckResult::skip, why);
      for (const std::string_view id : sealing_ids) add(id, CheckResult::skip, why);
      return;
    }
    judge("static.embedded", CheckResult::warn,
          facts->manifest
              ? ""
              : "plugin.json is only next to the library, so the library alone is not a "
                "plugin; grapnel_add_plugin() embeds it");
    const auto sealing = host::check_sealing(*facts);
    for (std::size_t i = 0; i < std::size(sealing_ids) && i < sealing.size(); ++i) {
      judge(sealing_ids[i], CheckResult::fail, sealing[i].found);
    }
  }

  // What another check has found already is not found again.
  void check_usable() {
    if (candidate_.refused.empty()) return add("static.usable", CheckResult::pass, "");
    const bool is_told = std::ranges::any_of(
        reports_, [](const CheckReport& report) { return report.result == CheckResult::fail; });
    add("static.usable", is_told ? CheckResult::skip : CheckResult::fail, candidate_.refused);
  }

  const host::Candidate& candidate_;
  std::vector<CheckReport> reports_;
};

}  // namespace

const std::vector<StaticCheck>& static_checks() {
  static const std::vector<StaticCheck> all = {
      {"static.manifest", "its manifest can be read"},
      {"static.manifest_keys", "its manifest has only known keys"},
      {"static.license", "it has a license"},
      {"static.embedded", "it embeds its manifest"},
      {"static.exports", "it exports only its entry"},
      {"static.unique_symbols", "it has no unique symbols"},
      {"static.cxx_runtime", "it brings its own C++ runtime"},
      {"static.libtorch", "it needs no LibTorch"},
      {"static.libtorch_symbols", "it needs no symbol of LibTorch"},
      {"static.search_paths", "it finds its libraries anywhere"},
      {"static.paths", "it needs no library by a path"},
      {"static.text_relocations", "it has no text relocations"},
      {"static.executable_stack", "it has no executable stack"},
      {"static.usable", "it can be used here"},
  };
  return all;
}

std::vector<CheckReport> run_static_checks(const host::Candidate& candidate) {
  return StaticChecks(candidate).run();
}

}  // namespace grapnel::validation
