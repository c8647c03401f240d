#include <grapnel/testkit/check.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cases.h"

namespace grapnel::testkit {
namespace {

struct NamedBody {
  std::string_view name;
  void (*body)();
};
std::vector<NamedBody>& cases() {
  static std::vector<NamedBody> all;
  return all;
}
int failed_checks = 0;

}  // namespace

Case::Case(std::string_view name, void (*body)()) {
  cases().push_back({name, body});
}

void check(bool passed, std::string_view expression, std::string_view file, int line) {
  if (passed) return;
  ++failed_checks;
  std::fprintf(stderr, "  %s:%d: failed: %s\n", std::string(file).c_str(), line,
               std::string(expression).c_str());
}

int run_cases() {
  int failed = 0;
  for (const NamedBody& one : cases()) {
    const int before = failed_checks;
    try {
      one.body();
    } catch (const std::exception& error) {
      ++failed_checks;
      std::fprintf(stderr, "  unexpected exception: %s\n", error.what());
    }
    const bool passed = failed_checks == before;
    if (!passed) ++failed;
    std::printf("%s  %s\n", passed ? "ok    " : "FAILED", std::string(one.name).c_str());
  }
  std::printf("%zu cases, %d failed\n", cases().size(), failed);
  return failed == 0 && !cases().empty() ? 0 : 1;
}

}  // namespace grapnel::testkit
