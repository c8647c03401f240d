// It writes to standard output in every way there is, from its constructor to its destructor.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include <grapnel/plugin.hpp>

namespace {

void print(const std::string& where) {
  std::printf("printf in %s\n", where.c_str());
  std::cout << "cout in " << where << std::endl;
  const std::string line = "write in " + where + "\n";
  (void)!write(STDOUT_FILENO, line.data(), line.size());
}

[[maybe_unused]] const bool loaded = (print("its constructor"), true);

class Printer final : public grapnel::plugin::Callback {
 public:
  explicit Printer(const Params&) { print("create"); }
  ~Printer() override { print("destroy"); }
  void on_train_start(Event&) override {
    print("on_train_start");
    std::printf("a line without an end");
  }
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Printer>(HOSTILE_NAME))
