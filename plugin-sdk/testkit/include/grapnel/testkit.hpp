// Everything of the test kit for plugin authors.
#pragma once

#include "testkit/check.h"
#include "testkit/recorded_training.h"
#include "testkit/recording_host.h"
