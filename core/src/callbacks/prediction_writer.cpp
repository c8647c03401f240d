#include "grapnel/callbacks/prediction_writer.h"

#include <fmt/format.h>

#include "grapnel/prediction_file.h"
#include "values/tensor_tree.h"

namespace grapnel {

template <>
inline constexpr auto enum_names<PredictionFormat> = std::to_array<EnumName<PredictionFormat>>(
    {{PredictionFormat::csv, "csv"}, {PredictionFormat::safetensors, "safetensors"}});

PredictionWriter::PredictionWriter(PredictionWriterOptions options)
    : BasePredictionWriter(options.write_interval), options_(std::move(options)) {}

const OptionsTable<PredictionWriterOptions>& PredictionWriter::options_table() {
  using O = PredictionWriterOptions;
  static const OptionsTable<O> table(
      "prediction_writer", "Writes predictions into CSV or safetensors files.",
      {option("dirpath", &O::dirpath)
           .null_when_empty()
           .doc("Directory of the files; null: predictions, in the run's log directory."),
       option("format", &O::format).doc("Form of the files."),
       option("write_interval", &O::write_interval)
           .doc("A file per batch, one at the end, or both.")});
  return table;
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
