#include <grapnel/plugin.hpp>

// Says when a training begins and when it ends.
class MyPrintingCallback final : public grapnel::plugin::Callback {
 public:
  void on_train_start(Event& event) override { event.log_info("Training is starting"); }
  void on_train_end(Event& event) override { event.log_info("Training is ending"); }
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<MyPrintingCallback>("printing"))
