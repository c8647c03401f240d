// A std::thread of its own aborts, started by the C++ runtime of the system.
#include <chrono>
#include <cstdlib>
#include <thread>

#include <grapnel/plugin.hpp>

class ThreadAborts final : public grapnel::plugin::Callback {
 public:
  void on_train_start(Event&) override {
    std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::abort();
    }).detach();
  }
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<ThreadAborts>(HOSTILE_NAME))
