// The one way to include Catch2. Tests are written against the API of version 2, which Debian 12
// packages; with version 3 this header brings the same names into place. It hides which one it is:
//
//   #include "catch.h"
//   TEST_CASE("a callback that throws is detached and the run continues") { ... }
//
// Names that tests may use: the TEST_CASE/SECTION/REQUIRE/CHECK/INFO/GENERATE macros, `Approx`, and
// the string matchers Contains, StartsWith, EndsWith and Equals of namespace Catch.
#pragma once

// LibTorch has its own macro CHECK, which aborts. It is included first, so that Catch's replaces it.
#if __has_include(<c10/util/Logging.h>)
#include <c10/util/Logging.h>
#undef CHECK
#endif

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#include <string>

using Catch::Approx;
namespace Catch {
using Matchers::EndsWith;
using Matchers::Equals;
using Matchers::StartsWith;
inline auto Contains(const std::string& text) {
  return Matchers::ContainsSubstring(text);
}
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
