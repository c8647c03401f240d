#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>

#include "catch.h"
#include "sdk/testkit.h"
#include "temp_dir.h"

namespace best_model_exporter_plugin_test {

using namespace grapnel::test;

namespace {

/// best_model_exporter over a model of one weight and one counter.
struct Exported {
  TempDir directory;
  RecordingHost host;
  PluginFile plugin{BEST_MODEL_EXPORTER_PLUGIN};

  explicit Exported(const std::string& mode = "min",
                    const std::string& filename = "best.safetensors") {
    host.params = {{"monitor", std::string("val_loss")}, {"mode", mode}, {"filename", filename}};
    host.run_directory = (directory / "run").string();
    auto weight = FakeTensor::make({1, 2, 3, 4, 5, 6});
    weight->sizes = {2, 3};
    host.parameters = {{"layer.weight", weight, nullptr}};
    host.buffers = {{"count", FakeTensor::scalar(7, GRAPNEL_DTYPE_I64), nullptr}};
  }

  RunningCallback start() { return RunningCallback(host, plugin.entry(), "best_model_exporter"); }
  static void fire(RunningCallback& exporter, std::uint32_t hook) {
    REQUIRE(exporter.fire<grapnel_Event>(hook) == GRAPNEL_OK);
  }
  /// One more step, then a validation with this result; the first weight is the step.
  void validate(RunningCallback& exporter, double val_loss) {
    host.parameters[0].tensor->values[0] = static_cast<double>(++host.trainer.global_step);
    host.metrics.push_back({"val_loss", val_loss, 0, 0});
    fire(exporter, GRAPNEL_HOOK_on_validation_end);
  }
  std::filesystem::path file() const { return directory / "run" / "best.safetensors"; }
  /// The first weight in the file, -1 when there is none.
  double exported() const {
    if (!std::filesystem::exists(file())) return -1;
    const std::string content = read_file(file());
    std::uint64_t header = 0;
    std::memcpy(&header, content.data(), 8);
    float first = 0;
    std::memcpy(&first, content.data() + 8 + header, 4);
    return first;
  }
  bool logged(const std::string& text) const {
    return std::any_of(host.log.begin(), host.log.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
};

}  // namespace

TEST_CASE(
    "the exported model is a safetensors file: a JSON header, then the elements of parameters and "
    "buffers") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.host.trainer.current_epoch = 2;
  run.validate(exporter, 0.125);
  const std::string content = read_file(run.file());
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), 8);
  CHECK(length % 8 == 0);
  std::string header = content.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  CHECK(header ==
        R"({"__metadata__":{"format":"pt","monitor":"val_loss","value":"0.125","epoch":"2",)"
        R"("global_step":"1"},"layer.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
        R"("count":{"dtype":"I64","shape":[],"data_offsets":[24,32]}})");
  REQUIRE(content.size() == 8 + length + 32);
  float weight[6];
  std::memcpy(weight, content.data() + 8 + length, sizeof weight);
  CHECK(std::vector<float>(weight, weight + 6) == std::vector<float>{1, 2, 3, 4, 5, 6});
  std::int64_t count = 0;
  std::memcpy(&count, content.data() + 8 + length + 24, 8);
  CHECK(count == 7);
  CHECK(run.host.live_handles == 0);
}

TEST_CASE("a pruned parameter is written masked, and its mask is not") {
  Exported run;
  auto mask = FakeTensor::make({1, 0, 1, 0, 1, 1});
  mask->sizes = {2, 3};
  run.host.parameters[0].mask = mask;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 1);
  const std::string content = read_file(run.file());
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), 8);
  const std::string header = content.substr(8, length);
  CHECK_THAT(header, Catch::Contains(R"("layer.weight":{"dtype":"F32","shape":[2,3])"));
  CHECK_THAT(header, !Catch::Contains("orig") && !Catch::Contains("mask"));
  REQUIRE(content.size() == 8 + length + 32);
  float weight[6];
  std::memcpy(weight, content.data() + 8 + length, sizeof weight);
  CHECK(std::vector<float>(weight, weight + 6) == std::vector<float>{1, 0, 3, 0, 5, 6});
  CHECK(run.host.parameters[0].tensor->values == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(run.host.live_handles == 0);
}

TEST_CASE("the exported model's header escapes parameter names for JSON") {
  Exported run;
  run.host.parameters[0].name = "a\"b\\c\td";
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 1);
  CHECK_THAT(read_file(run.file()), Catch::Contains(R"("a\"b\\c\u0009d":{)"));
}

TEST_CASE("only a better value replaces the exported model, and NaN is never better") {
  SECTION("smaller is better") {
    Exported run;
    RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
    run.validate(exporter, std::nan(""));
    CHECK(run.exported() == -1);
    run.validate(exporter, 3);
    CHECK(run.exported() == 2);
    run.validate(exporter, 4);
    run.validate(exporter, 3);
    run.validate(exporter, std::nan(""));
    CHECK(run.exported() == 2);
    run.validate(exporter, 2);
    CHECK(run.exported() == 6);
  }
  SECTION("larger is better") {
    Exported run("max");
    RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
    run.validate(exporter, 3);
    run.validate(exporter, 2);
    CHECK(run.exported() == 1);
    run.validate(exporter, 4);
    CHECK(run.exported() == 3);
  }
}

TEST_CASE("best_model_exporter considers each metric value once") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 3);
  run.host.parameters[0].tensor->values[0] = 50;
  run.host.metrics.push_back({"val_loss", 1, 0, 0});  // of the same step
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_epoch_end);
  CHECK(run.exported() == 1);
}

TEST_CASE(
    "best_model_exporter considers training metrics too, also those that the module logs last") {
  const auto hook = GENERATE(as<std::uint32_t>{}, GRAPNEL_HOOK_on_train_epoch_end,
                             GRAPNEL_HOOK_on_train_epoch_start, GRAPNEL_HOOK_on_train_end);
  Exported run;
  run.host.params["monitor"] = std::string("train_loss");
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  Exported::fire(exporter, hook);
  CHECK(run.exported() == -1);
  run.host.metrics.push_back({"train_loss", 1, 0, 0});
  ++run.host.trainer.global_step;
  Exported::fire(exporter, hook);
  CHECK(run.exported() == 1);
}

TEST_CASE("best_model_exporter exports nothing in the sanity check and in runs that don't train") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.host.trainer.sanity_checking = 1;
  run.validate(exporter, 1);
  run.host.trainer.sanity_checking = 0;
  run.host.trainer.run = GRAPNEL_RUN_VALIDATE;
  run.validate(exporter, 1);
  CHECK(run.exported() == -1);
}

TEST_CASE("best_model_exporter's checkpoint state has the best value and the file's path") {
  Exported run;
  RecordedState saved;
  {
    RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
    CHECK(exporter.save().entries.size() == 1);
    run.validate(exporter, 3);
    saved = exporter.save();
  }
  RunningCallback resumed(run.host, run.plugin.entry(), "best_model_exporter");
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  Exported::fire(resumed, GRAPNEL_HOOK_on_fit_start);
  CHECK(run.host.log.size() == 1);  // that of the export
  run.validate(resumed, 4);
  CHECK(run.exported() == 1);
  run.validate(resumed, 2);
  CHECK(run.exported() == 3);
  CHECK(std::get<std::string>(*resumed.save().find("best_path")) == run.file().string());

  std::filesystem::remove(run.file());
  RunningCallback later(run.host, run.plugin.entry(), "best_model_exporter");
  REQUIRE(later.load(saved) == GRAPNEL_OK);
  Exported::fire(later, GRAPNEL_HOOK_on_fit_start);
  CHECK(run.logged("warning: the best model so far, val_loss 3 in epoch 0 (step 1), is not in '"));
  saved.entries.pop_back();
  CHECK(later.load(saved) == GRAPNEL_ERROR);
}

TEST_CASE("the path of the best model is logged at the end of the training") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 0.1);
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_end);
  CHECK(run.host.log.back() == "info: the best model, val_loss 0.1 in epoch 0 (step 1), is in '" +
                                   run.file().string() + "'");
}

TEST_CASE("best_model_exporter reports a missing metric once, with the nearest name") {
  Exported run;
  run.host.params["monitor"] = std::string("val_los");
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_epoch_start);
  CHECK(run.host.log.empty());  // nothing was validated yet
  run.host.metrics.push_back({"val_acc", 1, 0, 0});
  run.validate(exporter, 1);
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_epoch_start);
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_end);
  CHECK(run.host.log ==
        std::vector<std::string>{"warning: nothing has logged the metric 'val_los', so no model is "
                                 "exported; did you mean 'val_loss'?"});
  CHECK(run.exported() == -1);
}

TEST_CASE("a missing metric without a similar name is reported with the list of logged metrics") {
  Exported run;
  run.host.params["monitor"] = std::string("perplexity");
  const std::string begin =
      "warning: nothing has logged the metric 'perplexity', so no model is exported; ";
  {
    RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
    Exported::fire(exporter, GRAPNEL_HOOK_on_train_end);
    CHECK(run.host.log.back() == begin + "no metric was logged");
  }
  run.host.metrics = {{"loss", 1, 0, 0}, {"acc", 1, 0, 0}};
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  Exported::fire(exporter, GRAPNEL_HOOK_on_train_end);
  CHECK(run.host.log.back() == begin + "there are: loss, acc");
}

TEST_CASE("an export that can't be written fails and keeps the old file") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 3);
  const std::string before = read_file(run.file());
  run.host.run_directory = (run.file() / "below").string();  // a file is no directory
  run.host.metrics.push_back({"val_loss", 1, 0, 0});
  ++run.host.trainer.global_step;
  CHECK(exporter.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_ERROR);
  REQUIRE(run.host.failures.size() == 1);
  CHECK_THAT(run.host.failures[0], Catch::StartsWith("cannot write '" + run.file().string()) &&
                                       Catch::Contains("what was there before is untouched"));
  CHECK(read_file(run.file()) == before);
  CHECK(std::get<double>(*exporter.save().find("best_value")) == 3);
}

TEST_CASE("an export that fails midway keeps the old file and leaves no other") {
  Exported run;
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 3);
  run.host.buffers[0].tensor->dtype = GRAPNEL_DTYPE_I32;  // the recording host can't read these
  run.host.buffers.push_back({"odd", FakeTensor::make({1}, GRAPNEL_DTYPE_F16), nullptr});
  run.host.metrics.push_back({"val_loss", 1, 0, 0});
  ++run.host.trainer.global_step;
  CHECK(exporter.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_ERROR);
  CHECK(run.exported() == 1);
  const std::filesystem::directory_iterator files(run.directory / "run");
  CHECK(std::distance(begin(files), end(files)) == 1);
  CHECK(run.host.live_handles == 0);
}

TEST_CASE("what a killed process left of an export is removed when the next training starts") {
  namespace fs = std::filesystem;
  Exported run;
  const fs::path directory = run.directory / "run";
  const auto name = [](const std::string& file, const std::string& process) {
    return "." + file + ".tmp-" + process + "-0-12345";
  };
  const std::string ours = std::to_string(getpid());
  const std::string dead = "999999999";
  const auto make = [&](const std::string& file) {
    run.directory.write(fs::path("run") / file, "half");
    return file;
  };
  fs::create_directories(directory);
  const std::set<std::string> stale = {make(name("best.safetensors", dead)),
                                       make(name("best.safetensors", ours))};
  const std::string locked = make(name("best.safetensors", "999999998"));
  const std::set<std::string> kept = {make(name("best.safetensors", "1")),  // which runs
                                      make(name("best.safetensors", "x")),
                                      make(name("other.safetensors", dead)),
                                      make("best.safetensors"), locked};
  const int writer = open((directory / locked).c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(flock(writer, LOCK_EX | LOCK_NB) == 0);
  auto exporter = run.start();
  Exported::fire(exporter, GRAPNEL_HOOK_on_fit_start);
  close(writer);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(directory)) {
    left.insert(entry.path().filename().string());
  }
  CHECK(left == kept);
}

TEST_CASE("a parameter dtype that safetensors lacks is refused at the start of the training") {
  Exported run;
  run.host.buffers.push_back({"phase", FakeTensor::make({1}, 9), nullptr});  // complex
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  CHECK(exporter.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start) == GRAPNEL_ERROR);
  CHECK_THAT(run.host.failures[0], Catch::StartsWith("'phase' has an element type that"));
}

TEST_CASE(
    "best_model_exporter creates the export's directory, and takes an absolute path as it is") {
  TempDir elsewhere;
  const auto file = elsewhere / "a" / "b.safetensors";
  Exported run("min", file.string());
  RunningCallback exporter(run.host, run.plugin.entry(), "best_model_exporter");
  run.validate(exporter, 3);
  CHECK(std::filesystem::exists(file));
  CHECK_FALSE(std::filesystem::exists(run.file()));
}

TEST_CASE("best_model_exporter refuses empty metric and file names") {
  Exported run("min", "models/");
  CHECK_THROWS_WITH(run.start(), Catch::Contains("filename is 'models/', which has no file name"));
  run.host.params["filename"] = std::string("best.safetensors");
  run.host.params["monitor"] = std::string();
  CHECK_THROWS_WITH(run.start(), Catch::Contains("monitor is empty"));
}

}  // namespace best_model_exporter_plugin_test
