#include "grapnel/callbacks/prediction_writer.h"

#include <fstream>
#include <sstream>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/safetensors.h"
#include "grapnel/callbacks/registry.h"
#include "grapnel/data/tensor_loader.h"
#include "temp_dir.h"

namespace prediction_writer_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Predicts twice the sample's number.
class Doubler : public ToyModule {
 public:
  explicit Doubler(int64_t fails_at = -1) : fails_at_(fails_at) {}
  TensorTree predict_step(Batch& batch, int64_t batch_idx, int64_t) override {
    if (batch_idx == fails_at_) throw DataError("scripted");
    return batch[0] * 2;
  }

 private:
  int64_t fails_at_;
};

std::shared_ptr<DataLoader> numbers(int64_t n, int64_t batch = 2, bool shuffle = false) {
  return std::make_shared<TensorLoader>(
      std::vector<at::Tensor>{at::arange(n, at::kFloat).view({n, 1})},
      TensorLoaderOptions{.batch_size = batch, .shuffle = shuffle});
}

std::shared_ptr<DataLoader> without_indices(int64_t batches) {
  const auto loader = std::make_shared<ToyLoader>(batches);
  loader->indices = false;
  return loader;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void predict(const CallbackHandle& writer, Data data, Doubler module = Doubler()) {
  Trainer trainer(quiet(1), {writer});
  trainer.predict(module, std::move(data));
}

}  // namespace

TEST_CASE("the epoch interval writes all predictions to one table, with the samples' indices") {
  const TempDir directory;
  predict(std::make_shared<PredictionWriter>(PredictionWriterOptions{.dirpath = directory / "out"}),
          Data(numbers(3)));
  CHECK(files_below(directory.path()) == Names{"out/predictions.csv"});
  CHECK(content(directory / "out/predictions.csv") == "index,prediction\n0,0\n1,2\n2,4\n");
}

TEST_CASE("a shuffled loader's predictions keep the indices of the samples they belong to") {
  const TempDir directory;
  predict(std::make_shared<PredictionWriter>(PredictionWriterOptions{
              .dirpath = directory.path(), .format = PredictionFormat::safetensors}),
          Data(numbers(7, 3, /*shuffle=*/true)));
  const auto file = SafetensorsFile::open(directory / "predictions.safetensors");
  REQUIRE(file.find("prediction") != nullptr);
  REQUIRE(file.find("index") != nullptr);
  const auto values = file.bytes(*file.find("prediction"));
  const auto indices = file.bytes(*file.find("index"));
  for (size_t i = 0; i < 7; ++i) {
    float value = 0;
    int64_t index = 0;
    std::memcpy(&value, values.data() + i * sizeof value, sizeof value);
    std::memcpy(&index, indices.data() + i * sizeof index, sizeof index);
    CHECK(value == 2.0F * static_cast<float>(index));
  }
}

TEST_CASE("the batch interval writes one file per batch, in a directory per loader") {
  const TempDir directory;
  predict(std::make_shared<PredictionWriter>(PredictionWriterOptions{
              .dirpath = directory.path(), .write_interval = WriteInterval::batch_and_epoch}),
          Data(DataLoaders{numbers(3), numbers(2)}));
  CHECK(files_below(directory.path()) ==
        Names{"loader0-batch-000000.csv", "loader0-batch-000001.csv", "loader1-batch-000000.csv",
              "predictions.csv", "predictions-1.csv"});
  CHECK(content(directory / "loader0-batch-000001.csv") == "index,prediction\n2,4\n");
}

TEST_CASE("when a batch fails, the files of finished batches are whole and no others exist") {
  const TempDir directory;
  CHECK_THROWS_AS(
      predict(std::make_shared<PredictionWriter>(PredictionWriterOptions{
                  .dirpath = directory.path(), .write_interval = WriteInterval::batch_and_epoch}),
              Data(numbers(6)), Doubler(/*fails_at=*/2)),
      DataError);
  CHECK(files_below(directory.path()) == Names{"batch-000000.csv", "batch-000001.csv"});
}

TEST_CASE("a loader without sample indices is reported once, and its rows are numbered") {
  const TempDir directory;
  const CapturedLog log;
  Trainer trainer(
      quiet(1),
      {std::make_shared<PredictionWriter>(PredictionWriterOptions{.dirpath = directory.path()})});
  Doubler module;
  trainer.predict(module, Data(without_indices(2)));
  CHECK_THAT(content(directory / "predictions.csv"), Contains("\n3,"));
  const std::string text = log.text();
  const size_t first = text.find("sample_indices");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("sample_indices", first + 1) == std::string::npos);
}

TEST_CASE("sample indices are nested by loader and batch, and empty for a loader without them") {
  class Indexed final : public BasePredictionWriter {
   public:
    Indexed() : BasePredictionWriter(WriteInterval::epoch) {}
    EpochIndices seen;

   protected:
    void write_on_epoch_end(Event&, const std::vector<Predictions>& predictions,
                            const EpochIndices& batch_indices) override {
      CHECK(predictions.size() == batch_indices.size());
      seen = batch_indices;
    }
  };
  const auto writer = std::make_shared<Indexed>();
  Trainer trainer(quiet(1), {writer});
  Doubler module;
  trainer.predict(module, Data(DataLoaders{numbers(3), without_indices(2)}));
  CHECK(writer->seen == BasePredictionWriter::EpochIndices{{{0, 1}, {2}}, {}});
}

TEST_CASE("a writer that lacks the function of its interval says which one") {
  class Forgetful final : public BasePredictionWriter {
   public:
    Forgetful() : BasePredictionWriter(WriteInterval::epoch) {}
  };
  try {
    predict(std::make_shared<Forgetful>(), Data(numbers(2)));
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    CHECK_THAT(error.what(), Contains("Forgetful") && Contains("write_on_epoch_end"));
  }
}

TEST_CASE("an unknown interval of a prediction writer is refused, listing the known ones") {
  CHECK_THROWS_WITH(parse_write_interval("step"),
                    Contains("'step'") && Contains("'batch_and_epoch'"));
  CHECK_THROWS_AS(
      make_callback("prediction_writer", parse_json(R"({"write_interval": "step"})", "run.json"),
                    "callbacks.prediction_writer"),
      ConfigError);
}

}  // namespace prediction_writer_test
