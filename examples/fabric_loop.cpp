// A hand-written training loop that others can extend: Fabric calls their callbacks at the places and with
// the variables that the loop chooses.
#include "iteration_timer.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <grapnel/data/digits.h>
#include <grapnel/fabric.h>
#include <grapnel/models/mlp.h>
#include <grapnel/optim/adam.h>

#include <iomanip>
#include <iostream>
#include <memory>

using grapnel::arg;

// The code of a callback can live anywhere, away from the training loop.
class MyCallback final : public grapnel::EventHandlers {
 public:
  MyCallback() { on("on_train_batch_end", &MyCallback::on_train_batch_end, {"loss", "output"}); }

  void on_train_batch_end(double loss, const at::Tensor& output) {
    std::cout << "loss " << std::fixed << std::setprecision(2) << loss << " over " << output.size(0)
              << " samples\n";
  }
};

int main() {
  // One or several callbacks, called in this order.
  grapnel::Fabric fabric(
      {.callbacks = {std::make_shared<IterationTimer>(std::cout), std::make_shared<MyCallback>()},
       .seed = 1});
  grapnel::MLP model;
  auto optimizer = fabric.setup(
      model, std::make_shared<grapnel::Adam>(model.parameters(), grapnel::AdamOptions{.lr = 0.01}));
  grapnel::DigitsDataModule digits({.batch_size = 480, .drop_last = true});
  digits.setup(grapnel::RunKind::fit);
  auto batches = fabric.setup_dataloader(digits.train_dataloader());

  for (grapnel::Batch& batch : batches) {
    fabric.call("on_train_batch_start", arg("batch", std::ref(batch)));
    optimizer.zero_grad();
    const at::Tensor output = model.forward(batch["input"]);
    const at::Tensor loss = at::cross_entropy_loss(output, batch["target"]);
    fabric.backward(loss);
    optimizer.step();
    // Each callback gets the variables that it names.
    fabric.call("on_train_batch_end", arg("loss", loss), arg("output", output),
                arg("batch", std::ref(batch)));
  }
}
