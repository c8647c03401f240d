// Tests without a framework: cases, checks, and the program around them. Any other framework does as
// well; the kit's main() is linked only where the program has none.
//
//   TESTKIT_CASE("it stops the run when the loss is not finite") {
//     ...
//     TESTKIT_CHECK(host.requests.size() == 1);
//   }
//
// The program runs all cases, prints each check that failed, and exits with 1 when one did.
#pragma once

#include <string_view>

namespace grapnel::testkit {

/// One case, found by the program; `name` has to live as long as the program.
class Case {
 public:
  Case(std::string_view name, void (*body)());
};

/// Records a check; prints it when it failed. The rest of the case runs all the same.
void check(bool passed, std::string_view expression, std::string_view file, int line);

}  // namespace grapnel::testkit

#define TESTKIT_JOIN2(a, b) a##b
#define TESTKIT_JOIN(a, b) TESTKIT_JOIN2(a, b)
#define TESTKIT_CASE(name) TESTKIT_CASE_AT(name, TESTKIT_JOIN(testkit_case_, __LINE__))
#define TESTKIT_CASE_AT(name, body)                                         \
  static void body();                                                       \
  static const ::grapnel::testkit::Case TESTKIT_JOIN(body, _)(name, &body); \
  static void body()
#define TESTKIT_CHECK(...) \
  ::grapnel::testkit::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
