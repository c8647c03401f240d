#include "grapnel/loggers/memory_logger.h"

#include <algorithm>

namespace grapnel {

void MemoryLogger::log_metrics(const Metrics& metrics, int64_t step) {
  rows_.push_back({step, metrics});
}

void MemoryLogger::log_hyperparams(const StateDict& hyper_parameters) {
  hyper_parameters_.push_back(hyper_parameters);
}

StateDict MemoryLogger::state_dict() const {
  return {{"rows", static_cast<int64_t>(rows_.size())}};
}

void MemoryLogger::load_state_dict(const StateDict& state) {
  const auto rows = static_cast<size_t>(std::max<int64_t>(state.at("rows").to_int(), 0));
  if (rows < rows_.size()) rows_.resize(rows);
}

}  // namespace grapnel
