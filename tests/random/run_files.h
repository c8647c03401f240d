// What a run left in its directory, in a form that can be compared.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace grapnel::random_test {

// Relative path -> what is compared of the file: a link's target; a checkpoint's steps and weights; of
// tables of metrics all but measurements; of other files every byte. Left out are the keeper's and the
// tester's own.
using RunFiles = std::map<std::string, std::string>;
RunFiles read_run_files(const std::filesystem::path& directory);

// The checkpoint of the keeper that is furthest on; empty: there is none.
std::filesystem::path newest_kept(const std::filesystem::path& directory);

// Is a metric a measurement of time or memory, which differs from run to run?
bool is_measurement(std::string_view metric);

}  // namespace grapnel::random_test
