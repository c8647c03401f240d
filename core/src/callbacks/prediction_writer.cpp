#include "grapnel/callbacks/prediction_writer.h"

#include <fmt/format.h>

#include "grapnel/prediction_file.h"
#include "values/tensor_tree.h"

namespace grapnel {

PredictionWriter::PredictionWriter(PredictionWriterOptions options)
    : BasePredictionWriter(options.write_interval), options_(std::move(options)) {}

const ParameterTable& PredictionWriter::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "prediction_writer", "Writes predictions into CSV or safetensors files.",
      {string("dirpath").nullable().doc(
           "Directory of the files; null: predictions, in the run's log directory."),
       string("format", "csv").one_of({"csv", "safetensors"}).doc("Form of the files."),
       string("write_interval", "epoch")
           .one_of({"batch", "epoch", "batch_and_epoch"})
           .doc("A file per batch, one at the end, or both.")});
  return table;
}

std::shared_ptr<PredictionWriter> PredictionWriter::from(const Parameters& p) {
  return std::make_shared<PredictionWriter>(PredictionWriterOptions{
      .dirpath = p.get<std::optional<std::string>>("dirpath").value_or(""),
      .format = p.get<std::string>("format") == "csv" ? PredictionFormat::csv
                                                      : PredictionFormat::safetensors,
      .write_interval = parse_write_interval(p.get<std::string>("write_interval"))});
}

std::filesystem::path PredictionWriter::file(const Trainer& trainer,
                                             const std::string& stem) const {
  const std::filesystem::path directory =
      options_.dirpath.empty() ? trainer.log_dir() / "predictions" : options_.dirpath;
  return directory / (stem + (options_.format == PredictionFormat::csv ? ".csv" : ".safetensors"));
}

void PredictionWriter::write_on_batch_end(EvalBatchEnd& event, const TensorTree& prediction,
                                          const Indices& batch_indices) {
  std::string stem = fmt::format("batch-{:06}", event.batch_idx);
  if (event.trainer.num_predict_batches().size() > 1) {
    stem = fmt::format("loader{}-{}", event.dataloader_idx, stem);
  }
  write_predictions(file(event.trainer, stem), {{on_cpu(prediction)}}, {{batch_indices}});
}

void PredictionWriter::write_on_epoch_end(Event& event, const std::vector<Predictions>& predictions,
                                          const EpochIndices& batch_indices) {
  write_predictions(file(event.trainer, "predictions"), predictions, batch_indices);
}

}  // namespace grapnel
