#include "grapnel/argument_error.h"

namespace grapnel {

ArgumentError::~ArgumentError() = default;

}  // namespace grapnel
