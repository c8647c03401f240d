// A first callback: it prints when something begins and when it ends.
//
// There are two, those of the oldest and the newest edition of Lightning's documentation; the Trainer calls
// both in the order they are given.
#include <grapnel/callback.h>
#include <grapnel/data/digits.h>
#include <grapnel/models/mlp.h>
#include <grapnel/trainer.h>

#include <iostream>
#include <memory>

class FirstPrintingCallback final : public grapnel::Callback {
 public:
  void on_init_start(grapnel::InitEvent&) override { std::cout << "Starting to init trainer!\n"; }
  void on_init_end(grapnel::InitEvent&) override { std::cout << "trainer is init now\n"; }
  void on_train_end(grapnel::Event&) override { std::cout << "do something when training ends\n"; }
};

class MyPrintingCallback final : public grapnel::Callback {
 public:
  void on_train_start(grapnel::Event&) override { std::cout << "Training is starting\n"; }
  void on_train_end(grapnel::Event&) override { std::cout << "Training is ending\n"; }
};

int main() {
  grapnel::Trainer trainer(
      {.max_epochs = 1, .enable_checkpointing = false},
      {std::make_shared<FirstPrintingCallback>(), std::make_shared<MyPrintingCallback>()});
  grapnel::MLP model;
  grapnel::DigitsDataModule digits;
  trainer.fit(model, digits);
}
