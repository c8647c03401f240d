// Callbacks that do nothing, for lists and their order.
#pragma once

#include <grapnel/callback.h>
#include <grapnel/callbacks/checkpoint.h>
#include <grapnel/callbacks/progress_bar.h>

#include <string>

#include "callbacks/trace.h"

namespace grapnel::oracle {

class Plain : public Callback, public Tagged {
 public:
  explicit Plain(const std::string& tag) : Tagged(tag) {}
};

class PlainChild final : public Plain {
 public:
  using Plain::Plain;
};

class MyProgressBar final : public ProgressBar {};

class MyCheckpoint final : public Checkpoint, public Tagged {
 public:
  explicit MyCheckpoint(const std::string& tag) : Tagged(tag) {}
};

}  // namespace grapnel::oracle
