// All ready optimizers.
#pragma once

#include "grapnel/optim/adagrad.h"
#include "grapnel/optim/adam.h"
#include "grapnel/optim/rmsprop.h"
#include "grapnel/optim/sgd.h"
