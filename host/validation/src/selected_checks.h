// The checks that `--only` names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace grapnel::validation {

class SelectedChecks {
 public:
  // ConfigError, naming the nearest, for what is neither a check's id nor a group.
  explicit SelectedChecks(std::vector<std::string> only);

  [[nodiscard]] bool contains(std::string_view id) const;

 private:
  std::vector<std::string> only_;  // empty: all
};

}  // namespace grapnel::validation
