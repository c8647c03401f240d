// One recorded case: what to run, and what Lightning did.
//
// The file's keys are described in README.md. A case is data alone; nothing here knows how it is run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "json.h"

namespace grapnel::oracle {

struct Case {
  std::string name;   // "group__case"
  std::string group;  // "early_stopping"
  std::string entry;  // "fit", ..., "construct", "unit_..."
  bool python_only = false;
  std::filesystem::path file;
  Json document;

  const Json& trainer() const { return get(document, "trainer"); }
  const Json& callbacks() const { return get(document, "callbacks"); }
  const Json& model() const { return get(document, "model"); }
  const Json& data() const { return get(document, "data"); }
  const Json& expect() const { return get(document, "expect"); }
  bool is_unit() const { return entry.rfind("unit_", 0) == 0; }
  // Was this recorded ("logger_trace", "ckpt_weights", ...)?
  bool records(std::string_view what) const;
  // The calls to make: `sequence`, or one call of `entry`.
  std::vector<Json> calls() const;
  // The same case with {DIR} replaced by a directory, except in what is expected.
  Case in_directory(const std::filesystem::path& directory) const;
};

// Throws grapnel::Error naming the file that is no case.
Case read_case(const std::filesystem::path& file);

// The files themselves, and the *.json in the directories, sorted by name. Throws grapnel::Error for
// a path that isn't there.
std::vector<std::filesystem::path> case_files(const std::vector<std::filesystem::path>& paths);

}  // namespace grapnel::oracle
