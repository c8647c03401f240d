#include "grapnel/callbacks/base_prediction_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "values/tensor_tree.h"

namespace grapnel {

WriteInterval parse_write_interval(const std::string& text) {
  if (text == "batch") return WriteInterval::batch;
  if (text == "epoch") return WriteInterval::epoch;
  if (text == "batch_and_epoch") return WriteInterval::batch_and_epoch;
  throw ConfigError::of(
      "write_interval",
      "write_interval={} is not possible; it must be 'batch', 'epoch' or 'batch_and_epoch'",
      quote(text));
}

void BasePredictionWriter::write_on_batch_end(EvalBatchEnd&, const TensorTree&, const Indices&) {
  throw ConfigError::of("",
                        "{} writes after each batch, but doesn't override write_on_batch_end; "
                        "override it, or choose write_interval 'epoch'",
                        type_name());
}

void BasePredictionWriter::write_on_epoch_end(Event&, const std::vector<Predictions>&,
                                              const EpochIndices&) {
  throw ConfigError::of("",
                        "{} writes at the end of the epoch, but doesn't override "
                        "write_on_epoch_end; override it, or choose write_interval 'batch'",
                        type_name());
}

void BasePredictionWriter::on_predict_epoch_start(Event& event) {
  forget();
  if (!on_epoch()) return;
  const size_t loaders = event.trainer.num_predict_batches().size();
  predictions_.resize(loaders);
  indices_.resize(loaders);
}

void BasePredictionWriter::on_predict_batch_end(EvalBatchEnd& event) {
  const Indices& indices = event.batch.sample_indices;
  if (indices.empty()) {
    log_once("prediction-writer-indices", LogLevel::warning,
             "{}: the data loader doesn't say which samples its batches are made of; predictions "
             "are written without their indices. Fill Batch::sample_indices in the loader",
             type_name());
  }
  if (on_batch()) write_on_batch_end(event, event.outputs.prediction, indices);
  if (!on_epoch()) return;
  const auto loader = static_cast<size_t>(event.dataloader_idx);
  predictions_.at(loader).push_back(on_cpu(event.outputs.prediction));
  indices_.at(loader).push_back(indices);
}

void BasePredictionWriter::on_predict_epoch_end(Event& event) {
  if (on_epoch()) {
    for (auto& loader : indices_) {
      if (std::all_of(loader.begin(), loader.end(), [](const Indices& i) { return i.empty(); })) {
        loader.clear();
      }
    }
    write_on_epoch_end(event, predictions_, indices_);
  }
  forget();
}

// Also when a batch failed: predictions may be large.
void BasePredictionWriter::on_run_end(RunEnd&) {
  forget();
}

void BasePredictionWriter::forget() {
  predictions_.clear();
  indices_.clear();
}

}  // namespace grapnel
