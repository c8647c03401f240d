#include "grapnel/metric_names.h"

namespace grapnel {

MetricSource::~MetricSource() = default;
MetricMonitor::~MetricMonitor() = default;

}  // namespace grapnel
