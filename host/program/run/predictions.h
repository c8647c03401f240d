// What predict writes: a table for people and spreadsheets, or tensors for programs.
//
//   predictions.csv            index, then one column per number of each output: output_0, output_1, ...
//   predictions.safetensors    one tensor per output [N, ...], the batches joined
//
// The index counts the samples in the order of the data. Several data loaders: "loader0." and so on in
// front of the names, one file each ("predictions-1.csv") for CSV.
#pragma once

#include <filesystem>
#include <vector>

#include <grapnel/trainer.h>

namespace grapnel::program {

// True for the endings that write_predictions knows, ".csv" and ".safetensors".
[[nodiscard]] bool is_predictions_file(const std::filesystem::path& file);

// IoError; DataError when the outputs of the batches don't fit together.
void write_predictions(const std::filesystem::path& file,
                       const std::vector<Predictions>& predictions);

}  // namespace grapnel::program
