// Writes what predict computes into CSV or safetensors files (prediction_file.h has their form).
//
//   PredictionWriter({.dirpath = "out", .format = PredictionFormat::safetensors})
//
// Per epoch one file, predictions.csv, with one more per further data loader in CSV; per batch
// batch-000000.csv and so on, with loader0- in front when there are several loaders. A reader sees
// a whole file or none; a prediction that was interrupted leaves the batches that were finished.
// Files of the same names are replaced.
#pragma once

#include <filesystem>
#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/base_prediction_writer.h"
#include "grapnel/export.h"

namespace grapnel {

enum class PredictionFormat { csv, safetensors };

struct PredictionWriterOptions {
  // Made if it isn't there; empty: "predictions" in the run's log directory.
  std::filesystem::path dirpath = {};
  PredictionFormat format = PredictionFormat::csv;
  WriteInterval write_interval = WriteInterval::epoch;
};

class GRAPNEL_CORE_API PredictionWriter : public BasePredictionWriter {
 public:
  explicit PredictionWriter(PredictionWriterOptions options = {});

  static const OptionsTable<PredictionWriterOptions>& options_table();

 protected:
  void write_on_batch_end(EvalBatchEnd& event, const TensorTree& prediction,
                          const Indices& batch_indices) override;
  void write_on_epoch_end(Event& event, const std::vector<Predictions>& predictions,
                          const EpochIndices& batch_indices) override;

 private:
  std::filesystem::path file(const Trainer& trainer, const std::string& stem) const;

  PredictionWriterOptions options_;
};

}  // namespace grapnel
