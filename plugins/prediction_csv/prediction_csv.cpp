// prediction_csv: a line for each sample of a test or prediction, and of a validation if wanted,
//
//   dataloader,batch,sample,0,1,2,...
//
// sample is its place in the data set, empty where that isn't known; then come the values of the output
// [N, ...] for it, row-major, with 9 digits, from which a float32 can be read back. Lines are written
// batch by batch into FILE.unfinished, which becomes FILE when the epoch ends; one that fails leaves the
// old file, and what there is of the new one under that name.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class PredictionCsv final : public Callback {
 public:
  explicit PredictionCsv(const Params& params)
      : output_(params.get("output", "predictions")),
        validation_(params.get("validation", false)),
        max_columns_(params.get("max_columns", 4096)) {}

  void on_validation_epoch_start(Event&) override { drop(); }
  void on_validation_batch_end(EvalBatchEnd& event) override {
    if (validation_ && !event.sanity_checking()) write(event, "val");
  }
  void on_validation_epoch_end(Event& event) override { finish(event); }
  void on_test_epoch_start(Event&) override { drop(); }
  void on_test_batch_end(EvalBatchEnd& event) override { write(event, "test"); }
  void on_test_epoch_end(Event& event) override { finish(event); }
  void on_predict_epoch_start(Event&) override { drop(); }
  void on_predict_batch_end(EvalBatchEnd& event) override { write(event, "predict"); }
  void on_predict_epoch_end(Event& event) override { finish(event); }

 private:
  Tensor chosen(const Outputs& outputs) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs.name(i) == output_ || outputs.size() == 1) return outputs[i];
    }
    return {};
  }

  void write(const EvalBatchEnd& event, const std::string& stage) {
    const Tensor values = chosen(event.outputs());
    if (!values.defined() || values.dim() == 0 || values.sizes()[0] == 0) {
      event.logger().warning_once("none", "the step has no output '" + output_ +
                                              "' with a row for each sample; nothing is written");
      return;
    }
    const std::int64_t rows = values.sizes()[0];
    const std::int64_t columns = values.numel() / rows;
    if (columns > max_columns_) {
      event.logger().warning_once("columns",
                                  std::to_string(columns) +
                                      " values for each sample are more than max_columns=" +
                                      std::to_string(max_columns_) + "; nothing is written");
      return;
    }
    if (!file_.is_open()) open(event, stage, columns);
    const std::vector<double> numbers = values.to_vector();
    const std::vector<std::int64_t> samples = event.batch().sample_indices();
    const int digits = values.is_floating_point() ? 9 : 17;  // whole numbers are written whole
    std::string text;
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto place = static_cast<std::size_t>(row);
      text +=
          std::to_string(event.dataloader_idx()) + "," + std::to_string(event.batch_idx()) + ",";
      if (place < samples.size()) text += std::to_string(samples[place]);
      for (std::int64_t column = 0; column < columns; ++column) {
        // Not printf(), which would write a locale's decimal comma.
        char number[40];
        const double value = numbers[static_cast<std::size_t>(row * columns + column)];
        const auto end = std::to_chars(number, number + sizeof number, value,
                                       std::chars_format::general, digits);
        text.append(1, ',').append(number, end.ptr);
      }
      text += '\n';
    }
    file_ << text;
  }

  void open(const Event& event, const std::string& stage, std::int64_t columns) {
    path_ = std::filesystem::path(event.run_directory()) / ("predictions_" + stage + ".csv");
    std::filesystem::create_directories(path_.parent_path());
    file_.exceptions(std::ios::failbit | std::ios::badbit);
    file_.open(path_.string() + ".unfinished", std::ios::binary | std::ios::trunc);
    file_ << "dataloader,batch,sample";
    for (std::int64_t column = 0; column < columns; ++column) file_ << ',' << column;
    file_ << '\n';
  }

  void finish(const Event& event) {
    if (!file_.is_open()) return;
    file_.close();
    std::filesystem::rename(path_.string() + ".unfinished", path_);
    event.logger().debug("the predictions are in '" + path_.string() + "'");
  }

  void drop() { file_ = std::ofstream(); }

  std::string output_;
  bool validation_;
  std::int64_t max_columns_;
  std::filesystem::path path_;  // of the running epoch
  std::ofstream file_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<PredictionCsv>("prediction_csv"))
