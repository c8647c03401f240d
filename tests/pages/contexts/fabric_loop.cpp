// A loop over a loader, with the model and data that it is about.
#include <ATen/ATen.h>
#include <grapnel/data/digits.h>
#include <grapnel/event_handlers.h>
#include <grapnel/fabric.h>
#include <grapnel/models/mlp.h>
#include <grapnel/optim/sgd.h>

#include <iostream>

using grapnel::arg;

void run() {
  grapnel::MLP net;
  grapnel::DigitsDataModule digits({.batch_size = 480});
  digits.setup(grapnel::RunKind::fit);
  const auto loader = digits.train_dataloader();
  // @block@
}
