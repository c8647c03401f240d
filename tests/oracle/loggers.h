// The loggers of a case: "rows" keeps everything in memory, the others are the library's own.
#pragma once

#include <grapnel/logger.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "journal.h"

namespace grapnel::oracle {

// spec: false, a kind ("rows", "csv", "tensorboard") or a list of them.
std::vector<std::shared_ptr<Logger>> make_loggers(const Json& spec, Journal& journal,
                                                  const std::filesystem::path& directory);

}  // namespace grapnel::oracle
