// What is wrong in run.json or on the command line is said with its place and what was probably meant, before
// anything is made.
#include "trainee.h"

namespace config_errors_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// What a fit with this file says.
struct Complaint {
  int exit_code;
  std::string error;
};

Complaint complaint(const std::string& content, const Arguments& more = {}) {
  const Trainee user;
  user.write("run.json", content);
  Arguments arguments = {"fit", "--config", "run.json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProcessResult result = user.run(arguments);
  CHECK(result.output.empty());
  CHECK(!fs::exists(user.here("runs")));
  return {result.exit_code, result.error};
}

}  // namespace

TEST_CASE("an unknown key names line, column and the nearest known one, in every section") {
  struct Case {
    const char* content;
    const char* place;
    const char* meant;
  };
  const Case cases[] = {
      {"{\n  \"trainr\": {}}", "run.json:2:3: ", "'trainer'"},
      {"{\"trainer\": {\n\"max_epoch\": 5}}", "run.json:2:1: ", "'max_epochs'"},
      {"{\"model\": {\"name\": \"mlp\",\n  \"hiden\": [3]}}", "run.json:2:3: ", "'hidden'"},
      {"{\"model\":\n \"mpl\"}", "run.json:2:2: ", "'mlp'"},
      {"{\"data\":\n \"digit\"}", "run.json:2:2: ", "'digits'"},
      {"{\"data\": {\"name\": \"digits\",\n \"batchsize\": 3}}", "run.json:2:2: ", "'batch_size'"},
      {"{\"optimizer\": {\"name\": \"Adam\",\n \"weight_deca\": 1}}",
       "run.json:2:", "'weight_decay'"},
      {"{\"optimizer\":\n \"Adamw\"}", "run.json:2:2: ", "'AdamW'"},
      {"{\"scheduler\":\n {\"name\": \"StepLr\"}}", "run.json:2:", "'StepLR'"},
      {"{\"callbacks\": {\"model_summary\": {\n\"evry\": {\"steps\": 3}}}}",
       "run.json:2:1: ", "'every'"},
      {"{\"callbacks\": {\"timer\": {\"every\":\n {\"step\": 3}}}}", "run.json:2:11: ", "'steps'"},
      {"{\"callbacks\": {\"timer\": {\"every\":\n {\"steps\": 0}}}}",
       "run.json:2:12: ", "callbacks.timer.every"},
      {"{\"callbacks\": {\"timer\": {\n\"on_eror\": \"disable\"}}}",
       "run.json:2:1: ", "'on_error'"},
      {"{\"callbacks\": {\n\"early_stoping\": {}}}", "run.json:2:1: ", "'early_stopping'"},
      {"{\"callbacks\": {\"early_stopping\": {\"monitor\": \"x\",\n\"patiense\": 1}}}",
       "run.json:2:1: ", "'patience'"},
      {"{\"callbacks\": [\n{\"name\": \"early_stoping\"}]}", "run.json:2:10: ", "'early_stopping'"},
      {"{\"loggers\": {\n\"cvs\": {}}}", "run.json:2:1: ", "'csv'"},
  };
  for (const Case& wrong : cases) {
    INFO(wrong.content);
    const Complaint said = complaint(wrong.content);
    CHECK(said.exit_code == 3);
    CHECK_THAT(said.error, Catch::StartsWith("grapnel: error: ") && Contains(wrong.place) &&
                               Contains(wrong.meant));
    CHECK(std::count(said.error.begin(), said.error.end(), '\n') == 1);
  }
}

TEST_CASE("a wrong type or value says what was found and what is accepted") {
  CHECK_THAT(complaint(R"({"trainer": {"max_epochs": "five"}})").error,
             Contains("run.json:1:28: ") && Contains("'five'") && Contains("integer"));
  CHECK_THAT(complaint(R"({"trainer": {"accumulate_grad_batches": 0}})").error,
             Contains("run.json:1:") && Contains("at least 1"));
  CHECK_THAT(complaint(R"({"callbacks": 5})").error, Contains("run.json:1:15: "));
  CHECK_THAT(complaint(R"({"model": {"hidden": [1]}})").error, Contains("\"name\""));
  CHECK_THAT(
      complaint(R"({"model": {"name": "mlp", "optimizer": "SGD"}, "optimizer": "SGD"})").error,
      Contains("is also in 'model'"));
}

TEST_CASE("a configuration that is not JSON, or not a file, is an error that says so") {
  const Complaint comma = complaint("{\"trainer\": {},\n}");
  CHECK(comma.exit_code == 3);
  CHECK_THAT(comma.error, Contains("run.json:2:1: "));
  const Trainee user;
  const ProcessResult missing = user.run({"fit", "--config", "nowhere.json"});
  CHECK(missing.exit_code == 6);
  CHECK_THAT(missing.error, Contains("cannot open 'nowhere.json'"));
}

TEST_CASE("a number of batches or a time that can't be is refused where it stands") {
  for (const char* limit : {"\"inf\"", "1e300", "9.3e18", "\"nan\"", "-1", "2.5"}) {
    for (const char* option :
         {"limit_train_batches", "limit_val_batches", "overfit_batches", "val_check_interval"}) {
      const std::string trainer = std::string(R"({"trainer": {")") + option + "\": " + limit + "}}";
      const Complaint said = complaint(trainer);
      INFO(trainer << ": " << said.error);
      CHECK(said.exit_code == 3);
      CHECK_THAT(said.error, Contains("run.json:1:") && Contains(option));
    }
  }
  const Complaint time = complaint(R"({"trainer": {"max_time": "abc"}})");
  CHECK(time.exit_code == 3);
  CHECK_THAT(time.error, Contains("run.json:1:26: ") && Contains("DD:HH:MM:SS"));
}

TEST_CASE("a checkpoint's name that no file can have is refused before the training") {
  const std::string name(300, 'n');
  for (const std::string& callback :
       {R"("model_checkpoint": {"filename": ")" + name + "\"}",
        R"("model_checkpoint": {"save_last": true, "filename": "x{epoch}", "name_last": ")" + name +
            "\"}",
        R"("on_exception_checkpoint": {"dirpath": "kept", "filename": ")" + name + "\"}"}) {
    const Complaint said = complaint(R"({"callbacks": {)" + callback + "}}");
    INFO(said.error);
    CHECK(said.exit_code == 3);
    CHECK_THAT(said.error, Contains("at most 200 are accepted: shorten callbacks."));
  }
}

TEST_CASE("data that don't fit the model are refused without a run directory") {
  const std::string rows = "a,b,y\n1,2,0\n3,4,1\n5,6,7\n";
  for (const auto& [model, text] :
       {std::pair(R"({"name": "mlp", "in_features": 3, "classes": 8})", "in_features to 2"),
        std::pair(R"({"name": "mlp", "in_features": 2, "classes": 3})", "has the class 7")}) {
    const Trainee user;
    user.write("a.csv", rows);
    user.write("run.json", std::string(R"({"model": )") + model +
                               R"(, "data": {"name": "csv", "path": "a.csv", "target": "y"}})");
    const ProcessResult result = user.run({"fit", "--config", "run.json"});
    INFO(result.error);
    CHECK(result.exit_code != 0);
    CHECK_THAT(result.error, Contains(text));
    CHECK(!fs::exists(user.here("runs")));
  }
}

TEST_CASE("an option that float32 can't hold is refused with its key and range") {
  for (const char* optimizer : {"RMSprop", "Adam", "AdamW", "SGD", "Adagrad"}) {
    const Complaint said =
        complaint(std::string(R"({"optimizer": {"name": ")") + optimizer + R"(", "lr": 1e300}})");
    INFO(said.error);
    CHECK(said.exit_code == 3);
    CHECK_THAT(said.error, Contains("run.json:1:") &&
                               Contains("lr must be at least 0 and at most ") &&
                               Contains("found the "));
  }
}

TEST_CASE("an error in --set names the option") {
  const Complaint said = complaint("{}", {"--set", "trainer.max_epoch=5"});
  CHECK(said.exit_code == 3);
  CHECK_THAT(said.error, Contains("--set trainer.max_epoch") && Contains("'max_epochs'"));
  CHECK_THAT(complaint("{}", {"--set", "trainer.max_epochs=abc"}).error,
             Contains("--set trainer.max_epochs: ") && Contains("'abc'"));
  const std::string rule =
      complaint("{}", {"--set", R"(callbacks={"model_pruning": )"
                                R"({"pruning_fn": "random_unstructured", "amount": 2.5}})"})
          .error;
  CHECK_THAT(rule, Catch::StartsWith(
                       "grapnel: error: --set callbacks: callbacks.model_pruning.amount must be "));
}

TEST_CASE(
    "run.json naming a plugin that is not found is an error that says where it was searched") {
  const Complaint said = complaint(R"({"callbacks": {"ema": {"decay": 0.9}}})");
  CHECK(said.exit_code == 3);
  CHECK_THAT(said.error, Contains("run.json:1:16: ") && Contains("there is no callback 'ema'") &&
                             Contains("There is no plugin of that id either") &&
                             Contains("grapnel plugin path"));
}

TEST_CASE("run.json naming a plugin that is not enabled is an error that says how to enable it") {
  const Trainee user;
  user.drop_in("ema");
  user.write("run.json", R"({"callbacks": {"ema": {"decay": 0.9}}})");
  const ProcessResult result = user.run({"fit", "--config", "run.json"});
  CHECK(result.exit_code == 3);
  CHECK_THAT(result.error, Contains("run.json:1:16: ") && Contains("grapnel plugin enable ema"));
}

TEST_CASE("an unknown option, command or checkpoint is refused with what was probably meant") {
  const Trainee user;
  const ProcessResult option = user.run({"fit", "--conifg", "run.json"});
  CHECK(option.exit_code == 2);
  CHECK_THAT(option.error, Contains("did you mean '--config'?"));
  const ProcessResult checkpoint = user.run({"fit", "--ckpt", "nowhere.ckpt"});
  CHECK(checkpoint.exit_code != 0);
  CHECK_THAT(checkpoint.error, Contains("nowhere.ckpt"));
  const ProcessResult none = user.run({"validate"});
  CHECK(none.exit_code == 5);
  CHECK_THAT(none.error, Contains("train one with 'grapnel fit'"));
}

TEST_CASE("--ckpt with a file that is not a checkpoint has its own exit code") {
  const Trainee user;
  user.write("not.ckpt", "this is not a checkpoint");
  const ProcessResult result = user.run({"fit", "--ckpt", "not.ckpt"});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.error, Contains("not.ckpt"));
}

}  // namespace config_errors_test
