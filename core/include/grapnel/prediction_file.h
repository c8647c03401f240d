// What predict computes, as files: a table for people and spreadsheets, or tensors for programs.
//
//   predictions.csv            index, then one column per number of each output: output_0, ...
//   predictions.safetensors    one tensor per output [N, ...], the batches joined
//
// Outputs are named as the branches of their tree, joined by dots; "prediction" where there is only
// one. Several data loaders: "loader0." and so on in front of the names, one file each
// ("predictions-1.csv") for CSV. A file is whole or not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/trainer.h"

namespace grapnel {

// True for the endings that write_predictions knows, ".csv" and ".safetensors".
GRAPNEL_CORE_API bool is_predictions_file(const std::filesystem::path& file);

// The index of each sample of each batch of each loader in its data set.
using SampleIndices = std::vector<std::vector<std::vector<int64_t>>>;

// Makes the directory if it isn't there. indices: the "index" of the table, and a tensor "index"
// [N] next to the outputs; a loader without them gets a table that counts its samples. Throws
// IoError; DataError when the outputs of the batches don't fit together.
GRAPNEL_CORE_API void write_predictions(const std::filesystem::path& file,
                                        const std::vector<Predictions>& predictions,
                                        const SampleIndices& indices = {});

}  // namespace grapnel
