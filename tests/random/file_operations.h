// Counting what this program does to files (opening for writing, writing, renaming, removing, linking,
// making directories, syncing), and being killed at one of these operations.
//
// The program's own definitions of these functions take the place of the C library's for all its
// shared libraries. They also leave out the syncing: the machine keeps its power here.
#pragma once

#include <atomic>
#include <cstdint>

namespace grapnel::random_test {

// Starts counting at 0. kill_at: the process is killed at the start of this operation, from 1; 0: never.
// counter: where they are counted, memory that outlives the process say; nullptr: in this one's.
void count_file_operations(int64_t kill_at = 0, std::atomic<int64_t>* counter = nullptr);
int64_t file_operations();

}  // namespace grapnel::random_test
