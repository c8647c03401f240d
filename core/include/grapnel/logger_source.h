// A callback that brings a logger, such as one of a plugin.
//
// The trainer that it is given to logs to it as to those of its options, after them, but for
// fast_dev_run and barebones, which log nothing.
#pragma once

#include <memory>

#include "grapnel/export.h"
#include "grapnel/logger.h"

namespace grapnel {

class Trainer;

class GRAPNEL_CORE_API LoggerSource {
 public:
  virtual ~LoggerSource();
  // The logger for this trainer, which outlives it; nullptr: none.
  virtual std::shared_ptr<Logger> make_logger(Trainer& trainer) = 0;
};

}  // namespace grapnel
