// The SDK's test kit, in the namespace of the tests.
#pragma once

#include <grapnel/testkit/recorded_training.h>
#include <grapnel/testkit/recording_host.h>

namespace grapnel::test {
using namespace grapnel::testkit;  // NOLINT(google-build-using-namespace)
}
