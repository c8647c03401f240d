// A place for progress bars that keeps what is done to each of them.
#pragma once

#include <grapnel/progress.h>

#include <memory>

#include "journal.h"

namespace grapnel::oracle {

// Bars are appended to the journal's list as they are made.
std::shared_ptr<ProgressSink> make_bar_recorder(Journal& journal);

}  // namespace grapnel::oracle
