// prediction_csv: a line for each sample of a test or prediction, and of a validation if wanted,
//
//   dataloader,batch,sample,0,1,2,...
//
// sample is its place in the data set, empty where that isn't known; then come the values of the output
// [N, ...] for it, row-major, with 9 digits, from which a float32 can be read back; integers are written
// whole. Where batches have outputs of different sizes, the columns that a sample lacks are empty. Lines are
// written batch by batch into FILE.unfinished, which becomes FILE when the epoch ends; one that fails
// leaves the old file, and what there is of the new one under that name. An epoch without a line removes
// the old file, which is of another one. An instance with a label has files of its own:
// predictions_<label>_test.csv. In a fit, a file that can't be written is warned of once, and the validation
// continues without it; other runs fail.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include <grapnel/plugin.hpp>

#include "../shared/instance_name.h"
#include "../shared/written_file.h"

namespace {

using namespace grapnel::plugin;

class PredictionCsv final : public Callback {
 public:
  explicit PredictionCsv(const Params& params)
      : output_(params.get("output", "predictions")),
        validation_(params.get("validation", false)),
        max_columns_(params.get("max_columns", 4096)) {}

  void init(Services& services) override {
    label_ = services.plugin_info().label;
    instance::check_for_files(label_);
  }

  void on_validation_epoch_start(Event&) override { drop(); }
  void on_validation_batch_end(EvalBatchEnd& event) override {
    if (validation_ && !event.sanity_checking()) write(event, "val");
  }
  void on_validation_epoch_end(Event& event) override {
    if (validation_ && !event.sanity_checking()) finish(event, "val");
  }
  void on_test_epoch_start(Event&) override { drop(); }
  void on_test_batch_end(EvalBatchEnd& event) override { write(event, "test"); }
  void on_test_epoch_end(Event& event) override { finish(event, "test"); }
  void on_predict_epoch_start(Event&) override { drop(); }
  void on_predict_batch_end(EvalBatchEnd& event) override { write(event, "predict"); }
  void on_predict_epoch_end(Event& event) override { finish(event, "predict"); }

 private:
  Tensor chosen(const Outputs& outputs) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs.name(i) == output_ || outputs.size() == 1) return outputs[i];
    }
    return {};
  }

  void write(const EvalBatchEnd& event, const std::string& stage) {
    if (has_failed_) return;
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
    const std::string text = lines(event, values, rows, columns);
    try {
      if (!file_.is_open()) open(event, stage, columns);
      files::write(file_, unfinished_, text);
    } catch (const files::FileError& error) {
      return give_up(event, error);
    }
    is_even_ = is_even_ && columns == columns_;
    columns_ = std::max(columns_, columns);
  }

  static std::string lines(const EvalBatchEnd& event, const Tensor& values, std::int64_t rows,
                           std::int64_t columns) {
    const bool whole = is_whole(values.dtype());
    const auto numbers = whole ? std::vector<double>() : values.to_vector();
    const auto integers = whole ? values.to_integers() : std::vector<std::int64_t>();
    const std::vector<std::int64_t> samples = event.batch().sample_indices();
    const std::string place =
        std::to_string(event.dataloader_idx()) + "," + std::to_string(event.batch_idx()) + ",";
    std::string text;
    for (std::int64_t row = 0; row < rows; ++row) {
      text += place;
      const auto sample = static_cast<std::size_t>(row);
      if (sample < samples.size()) text += std::to_string(samples[sample]);
      for (std::int64_t column = 0; column < columns; ++column) {
        const auto at = static_cast<std::size_t>(row * columns + column);
        text += ',';
        text += whole ? std::to_string(integers[at]) : nine_digits(numbers[at]);
      }
      text += '\n';
    }
    return text;
  }

  static bool is_whole(Dtype dtype) {
    return dtype == Dtype::u8 || dtype == Dtype::i8 || dtype == Dtype::i16 || dtype == Dtype::i32 ||
           dtype == Dtype::i64 || dtype == Dtype::boolean;
  }

  // Not by printf(), which would write a locale's decimal comma.
  static std::string nine_digits(double value) {
    char digits[40];
    return std::string(
        digits,
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 9).ptr);
  }

  static std::string header(std::int64_t columns) {
    std::string text = "dataloader,batch,sample";
    for (std::int64_t column = 0; column < columns; ++column) text += "," + std::to_string(column);
    return text + '\n';
  }

  std::filesystem::path path_of(const Event& event, const std::string& stage) const {
    return std::filesystem::path(event.run_directory()) /
           (instance::named("predictions", label_) + "_" + stage + ".csv");
  }

  void open(const Event& event, const std::string& stage, std::int64_t columns) {
    unfinished_ = files::unfinished(path_of(event, stage));
    file_ = files::create(unfinished_);
    files::write(file_, unfinished_, header(columns));
    columns_ = columns;
    is_even_ = true;
  }

  // Of the running epoch's file.
  void give_up(const Event& event, const files::FileError& error) {
    if (event.run_kind() != RunKind::fit) throw error;
    const std::string text = std::string(error.what()) + ", or set validation to false";
    event.logger().warning_once(text, text + "; the training continues without the file");
    file_ = std::ofstream();
    has_failed_ = true;
  }

  void finish(const Event& event, const std::string& stage) {
    if (has_failed_) return;
    const std::filesystem::path path = path_of(event, stage);
    if (!file_.is_open()) {
      try {
        if (!files::remove(path)) return;
        event.logger().info("'" + path.string() + "' was of an earlier evaluation and is removed");
      } catch (const files::FileError& error) {
        give_up(event, error);
      }
      return;
    }
    try {
      files::close(file_, unfinished_);
      if (!is_even_) widen();
      files::replace(path, unfinished_);
    } catch (const files::FileError& error) {
      return give_up(event, error);
    }
    event.logger().debug("the predictions are in '" + path.string() + "'");
  }

  // Gives every line as many columns as the widest one has.
  void widen() const {
    std::filesystem::path wide = unfinished_;
    wide += ".wide";
    std::ifstream from(unfinished_, std::ios::binary);
    std::ofstream to = files::create(wide);
    files::write(to, wide, header(columns_));
    std::string line;
    std::getline(from, line);  // the header
    while (std::getline(from, line)) {
      const auto commas = std::count(line.begin(), line.end(), ',');
      line.append(static_cast<std::size_t>(columns_ + 2 - commas), ',');
      files::write(to, wide, line + '\n');
    }
    if (!from.eof()) throw files::FileError("cannot read '" + unfinished_.string() + "'");
    files::close(to, wide);
    files::replace(unfinished_, wide);
  }

  void drop() {
    file_ = std::ofstream();
    has_failed_ = false;
  }

  std::string output_;
  bool validation_;
  std::int64_t max_columns_;
  std::string label_;
  // Of the running epoch:
  std::filesystem::path unfinished_;
  std::ofstream file_;
  std::int64_t columns_ = 0;  // of the widest line
  bool is_even_ = true;       // all lines have as many as the header
  bool has_failed_ = false;   // it is not written any more
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<PredictionCsv>("prediction_csv"))
