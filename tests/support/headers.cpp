// Holds the precompiled headers of the tests; see GrapnelAddTest.cmake.
int main() {
  return 0;
}
