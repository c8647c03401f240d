// The arguments of a call by name (Fabric) don't fit.
#pragma once

#include "grapnel/base/error.h"
#include "grapnel/export.h"

namespace grapnel {

// The mistake is the caller's, so the callback's on_error doesn't apply.
class GRAPNEL_CORE_API ArgumentError : public ConfigError {
 public:
  using ConfigError::ConfigError;
  ~ArgumentError() override;
};

}  // namespace grapnel
