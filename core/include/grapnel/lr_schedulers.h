// All ready learning-rate schedulers.
#pragma once

#include "grapnel/lr_schedulers/constant_lr.h"
#include "grapnel/lr_schedulers/cosine_annealing_lr.h"
#include "grapnel/lr_schedulers/cosine_annealing_warm_restarts.h"
#include "grapnel/lr_schedulers/cyclic_lr.h"
#include "grapnel/lr_schedulers/exponential_lr.h"
#include "grapnel/lr_schedulers/lambda_lr.h"
#include "grapnel/lr_schedulers/linear_lr.h"
#include "grapnel/lr_schedulers/multi_step_lr.h"
#include "grapnel/lr_schedulers/one_cycle_lr.h"
#include "grapnel/lr_schedulers/polynomial_lr.h"
#include "grapnel/lr_schedulers/reduce_lr_on_plateau.h"
#include "grapnel/lr_schedulers/sequential_lr.h"
#include "grapnel/lr_schedulers/step_lr.h"
#include "grapnel/lr_schedulers/swa_lr.h"
