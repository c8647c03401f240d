// docs/lightning.md compares every built-in callback with Lightning's, and no other.
#include <grapnel/callbacks/registry.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"
#include "temp_dir.h"

namespace lightning_test {

using namespace grapnel;

TEST_CASE("docs/lightning.md has a row for every registered callback, and for no other name") {
  std::istringstream page(test::read_file(LIGHTNING_PAGE));
  std::set<std::string> rows;
  for (std::string line; std::getline(page, line) && line != "In C++ only:";) {
    if (line.starts_with("| `")) rows.insert(line.substr(3, line.find('`', 3) - 3));
  }
  const std::vector<std::string> names = callback_registry().names();
  CHECK(rows == std::set<std::string>(names.begin(), names.end()));
}

}  // namespace lightning_test
