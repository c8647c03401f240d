#include "shrink.h"

#include "resume_case.h"

namespace grapnel::random_test {

Plan shrink(const Plan& plan, const std::string& what, const std::filesystem::path& workspace,
            bool all, int runs) {
  Plan smallest = plan;
  bool smaller = true;
  while (smaller && runs > 0) {
    smaller = false;
    for (const std::string& piece : pieces(smallest)) {
      Plan candidate = smallest;
      if (!take_out(candidate, piece)) continue;  // it went with another one
      if (--runs < 0) break;
      const CaseResult result = run_case(candidate, workspace, all);
      if (result.status == CaseResult::Status::differs && result.differences[0].what == what) {
        smallest = std::move(candidate);
        smaller = true;
      }
    }
  }
  return smallest;
}

}  // namespace grapnel::random_test
