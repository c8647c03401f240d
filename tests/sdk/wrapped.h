// A plugin made of classes in the test itself, without a library.
#pragma once

#include <grapnel/testkit/in_process.h>

#include "testkit.h"
