// What a manifest may not call its own is what core calls its own.
#include "../../host/src/reserved_names.h"

#include <set>
#include <string>

#include "catch.h"
#include "grapnel/callbacks/registry.h"

namespace reserved_names_test {

using namespace grapnel;

TEST_CASE("the names of all built-in callbacks are reserved, the former ones too, and no others") {
  std::set<std::string_view> names;
  for (const auto& entry : callback_registry()) {
    names.insert(entry.name());
    names.insert(entry.former_names.begin(), entry.former_names.end());
  }
  const auto& reserved = host::built_in_callback_names();
  CHECK(std::set<std::string_view>(reserved.begin(), reserved.end()) == names);
}

}  // namespace reserved_names_test
