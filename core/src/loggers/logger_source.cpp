#include "grapnel/logger_source.h"

namespace grapnel {

LoggerSource::~LoggerSource() = default;

}  // namespace grapnel
