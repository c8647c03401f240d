// The options of log(), with Lightning's names, defaults and rules.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// A number, or a tensor with one element, which stays on its device until the number is needed.
struct LogValue {
  LogValue(double number) : value(number) {}
  LogValue(float number) : value(static_cast<double>(number)) {}
  LogValue(int number) : value(static_cast<double>(number)) {}
  LogValue(int64_t number) : value(static_cast<double>(number)) {}
  LogValue(at::Tensor tensor) : value(std::move(tensor)) {}
  std::variant<double, at::Tensor> value;
};

enum class Reduce { mean, min, max, sum };

struct LogOptions {
  // Unset: the default of the running hook. Training steps and batch hooks log per step, all other
  // hooks per epoch. With both, the names get the suffixes "_step" and "_epoch".
  std::optional<bool> on_step = {};
  std::optional<bool> on_epoch = {};
  bool prog_bar = false;                   // show it in the progress bar
  bool logger = true;                      // send it to the loggers
  Reduce reduce = Reduce::mean;            // over the epoch; a mean is weighted by the batch size
  std::optional<int64_t> batch_size = {};  // unset: the first dimension of the batch
  bool add_dataloader_idx = true;  // append "/dataloader_idx_N" when there are several loaders
};

// "mean", "avg", "min", "max", "sum"; throws ConfigError for anything else.
GRAPNEL_CORE_API Reduce parse_reduce(const std::string& text);

}  // namespace grapnel
