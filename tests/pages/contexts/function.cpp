// A few statements.

void run() {
  // @block@
}
