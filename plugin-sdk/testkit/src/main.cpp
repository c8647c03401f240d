// The program of a test that has no main() of its own.
#include "cases.h"

int main() {
  return grapnel::testkit::run_cases();
}
