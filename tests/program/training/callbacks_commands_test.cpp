// grapnel callbacks list, grapnel callbacks show.
#include "trainee.h"

namespace callbacks_commands_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

TEST_CASE("callbacks list shows the built-in callbacks and those of enabled plugins") {
  const Trainee user;
  user.drop_in("ema");
  CHECK_THAT(user.answer({"callbacks", "list"}),
             Contains("early_stopping") && Contains("model_checkpoint") && !Contains("ema "));
  user.run({"plugin", "enable", "ema"});
  CHECK_THAT(user.answer({"callbacks", "list"}), Contains("ema 0.1.0"));
  const ConfigValue all = user.json({"callbacks", "list"});
  CHECK(std::any_of(all.as_array().begin(), all.as_array().end(), [](const ConfigValue& entry) {
    return entry.at("name").as_string() == "ema" && entry.at("parameters").contains("decay");
  }));
}

TEST_CASE("callbacks show describes parameters with type, default and meaning") {
  const Trainee user;
  CHECK_THAT(user.answer({"callbacks", "show", "early_stopping"}),
             Contains("patience") && Contains("integer") && Contains("monitor"));
  CHECK_THAT(user.answer({"callbacks", "show", "EarlyStopping"}), Contains("patience"));
  CHECK(user.json({"callbacks", "show", "timer"}).at("name").as_string() == "timer");
  const ProcessResult unknown = user.run({"callbacks", "show", "early_stoping"});
  CHECK(unknown.exit_code == 3);
  CHECK_THAT(unknown.error, Contains("did you mean 'early_stopping'?"));
}

TEST_CASE("callbacks list and show give former names, which are accepted") {
  const Trainee user;
  CHECK_THAT(user.answer({"callbacks", "list"}),
             Contains("Formerly learning_rate_logger, lr_logger."));
  CHECK_THAT(
      user.answer({"callbacks", "show", "LearningRateLogger"}),
      Contains("learning_rate_monitor") && Contains("Former names, still accepted: learning_"));
  const ConfigValue shown = user.json({"callbacks", "show", "lr_logger"});
  CHECK(shown.at("name").as_string() == "learning_rate_monitor");
  CHECK(shown.at("former_names").as_array().size() == 2);
}

TEST_CASE("every callbacks command has a help with an example") {
  const Trainee user;
  for (const char* command : {"fit", "validate", "test", "predict"}) {
    INFO(command);
    CHECK_THAT(user.answer({command, "--help"}),
               Contains(std::string("  grapnel ") + command) && Contains("--ckpt"));
  }
  for (const char* command : {"list", "show"}) {
    CHECK_THAT(user.answer({"callbacks", command, "--help"}), Contains("Example"));
  }
}

}  // namespace callbacks_commands_test
