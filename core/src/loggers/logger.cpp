#include "grapnel/logger.h"

namespace grapnel {

Logger::~Logger() = default;

}  // namespace grapnel
