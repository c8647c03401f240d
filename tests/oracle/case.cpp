#include "case.h"

#include <grapnel/base/error.h>

#include <algorithm>

namespace grapnel::oracle {

bool Case::records(std::string_view what) const {
  for (const Json& item : items(get(document, "record"))) {
    if (item.as_string() == what) return true;
  }
  return false;
}

std::vector<Json> Case::calls() const {
  const Json& sequence = get(document, "sequence");
  if (!sequence.is_null()) return sequence.as_array("sequence");
  Json call = Json::object();
  call.set("call", entry);
  return {call};
}

Case Case::in_directory(const std::filesystem::path& directory) const {
  Case moved = *this;
  moved.document = Json::object();
  for (const auto& [key, value, line, column] : document.as_object()) {
    moved.document.set(key,
                       key == "expect" ? value : replace_text(value, "{DIR}", directory.string()));
  }
  return moved;
}

Case read_case(const std::filesystem::path& file) {
  Case result;
  result.file = file;
  result.document = read_json_file(file);
  result.name = result.document.at("name").as_string("name");
  result.group = result.document.at("group").as_string("group");
  result.entry = result.document.at("entry").as_string("entry");
  result.python_only = flag_or(result.document, "python_only", false);
  if (!result.expect().is_object()) throw result.document.error("'expect' must be an object");
  return result;
}

std::vector<std::filesystem::path> case_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::exists(path)) throw Error("there is no '" + path.string() + "'");
    if (!std::filesystem::is_directory(path)) {
      files.push_back(std::filesystem::absolute(path));
      continue;
    }
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() == ".json") {
        found.push_back(std::filesystem::absolute(entry.path()));
      }
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

}  // namespace grapnel::oracle
