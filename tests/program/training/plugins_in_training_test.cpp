// A plugin on its way into a training: dropped in, named, enabled, in effect, set up, left out, broken.
#include "trainee.h"

namespace plugins_in_training_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

bool has_grad_norm(const ConfigValue& answer) {
  return answer.at("metrics").contains("grad_norm/total");
}

const Arguments kEveryStep = {"--set", "trainer.log_every_n_steps=1"};

Arguments every_step(const Arguments& more) {
  Arguments all = kEveryStep;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

TEST_CASE(
    "a plugin in the project's directory is named, runs once enabled, and not after it is "
    "disabled") {
  const Trainee user;
  user.drop_in("grad_norm");
  const ProcessResult first = user.fit(1);
  CHECK(first.exit_code == 0);
  CHECK_THAT(first.error, Contains("grapnel plugin enable grad_norm"));
  CHECK(!has_grad_norm(user.fit_json(1, kEveryStep)));

  REQUIRE(user.run({"plugin", "enable", "grad_norm"}).exit_code == 0);
  const ConfigValue enabled = user.fit_json(1, kEveryStep);
  CHECK(has_grad_norm(enabled));
  REQUIRE(enabled.at("plugins").size() == 1);
  const ConfigValue& plugin = enabled.at("plugins").as_array()[0];
  CHECK(plugin.at("id").as_string() == "grad_norm");
  CHECK(plugin.at("version").as_string() == "0.1.0");
  CHECK(!plugin.at("disabled").as_bool());
  CHECK_THAT(plugin.at("source").as_string(), Contains("grad_norm.so"));

  REQUIRE(user.run({"plugin", "disable", "grad_norm"}).exit_code == 0);
  CHECK(!has_grad_norm(user.fit_json(1, kEveryStep)));
}

TEST_CASE("--plugin and --no-plugin apply to one run") {
  const Trainee user;
  user.drop_in("grad_norm");
  CHECK(has_grad_norm(user.fit_json(1, every_step({"--plugin", "grad_norm"}))));
  CHECK(has_grad_norm(
      user.fit_json(1, every_step({"--plugin", (user.plugins() / "grad_norm.so").string()}))));
  user.run({"plugin", "enable", "grad_norm"});
  CHECK(!has_grad_norm(user.fit_json(1, every_step({"--no-plugin", "grad_norm"}))));
  const ProcessResult unknown = user.fit(1, {"--plugin", "grad_nrom"});
  CHECK(unknown.exit_code == 4);
  CHECK_THAT(unknown.error, Contains("did you mean 'grad_norm'?"));
}

TEST_CASE("run.json sets a plugin up by its id, or turns it off") {
  const Trainee user;
  user.drop_in("grad_norm");
  user.run({"plugin", "enable", "grad_norm"});
  const ConfigValue total =
      user.fit_json(1, every_step({"--set", "callbacks.grad_norm.per_parameter=false"}));
  CHECK(has_grad_norm(total));
  CHECK(total.at("metrics").size() < user.fit_json(1, kEveryStep).at("metrics").size());
  CHECK(!has_grad_norm(user.fit_json(1, every_step({"--set", "callbacks.grad_norm=false"}))));
  const ProcessResult wrong = user.fit(1, {"--set", "callbacks.grad_norm.per_paramter=false"});
  CHECK(wrong.exit_code == 3);
  CHECK_THAT(wrong.error,
             Contains("--set callbacks.grad_norm.per_paramter") && Contains("'per_parameter'"));
}

TEST_CASE("--explain names each plugin with its file and why it is there") {
  const Trainee user;
  user.drop_in("nan_guard");
  user.run({"plugin", "enable", "nan_guard"});
  const ConfigValue plan = user.json({"fit", "--explain"});
  const ConfigValue* found = nullptr;
  for (const ConfigValue& callback : plan.at("callbacks").as_array()) {
    if (callback.at("name").as_string() == "nan_guard") found = &callback;
  }
  REQUIRE(found != nullptr);
  CHECK(found->at("origin").as_string() == "plugin");
  CHECK(found->at("reason").as_string() == "enabled");
  CHECK_THAT(found->at("source").as_string(), Contains("nan_guard.so"));
  const auto& receivers = plan.at("hooks").at("on_train_batch_end").as_array();
  CHECK(std::any_of(receivers.begin(), receivers.end(),
                    [](const ConfigValue& name) { return name.as_string() == "nan_guard"; }));
}

TEST_CASE("a plugin that fails ends the run by name, or is disabled when its user chose so") {
  const Trainee user;
  user.drop_in("hook_fails");
  user.run({"plugin", "enable", "hook_fails"});
  const ProcessResult failed = user.fit(1);
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.error, Contains("grapnel: error: plugin 'hook_fails'"));

  const ConfigValue answer = user.fit_json(1, {"--set", "callbacks.hook_fails.on_error=disable"});
  REQUIRE(answer.at("plugins").size() == 1);
  CHECK(answer.at("plugins").as_array()[0].at("disabled").as_bool());

  const ProcessResult wrong = user.fit(1, {"--set", "callbacks.hook_fails.on_error=ignore"});
  CHECK(wrong.exit_code == 3);
  CHECK_THAT(wrong.error, Contains("'fail' or 'disable'"));
}

TEST_CASE("a plugin that refuses to start has the exit code of a refused plugin") {
  const Trainee user;
  user.drop_in("init_refuses");
  user.run({"plugin", "enable", "--force", "init_refuses"});
  const ProcessResult refused = user.fit(1);
  CHECK(refused.exit_code == 4);
  CHECK_THAT(refused.error, Contains("plugin 'init_refuses' 0.1.0 failed when it was tried: ") &&
                                Contains("to run without it: --no-plugin init_refuses"));
  CHECK_THAT(refused.error, Contains("plugin 'init_refuses'"));
}

TEST_CASE("a plugin that asks for a place among the built-in callbacks gets it, or a word") {
  const Trainee user;
  const auto add = [&](const std::string& id, const std::string& members) {
    user.dir.write("plugins/" + id + ".grapnel.json", manifest_text(id, {.members = members}));
    std::filesystem::copy_file(HOSTILE "/manifest_absent/manifest_absent.so",
                               user.plugins() / (id + ".so"));
    user.run({"plugin", "enable", id});
  };
  add("fits", R"("after": ["early_stopping"], "before": ["ModelCheckpoint"],)");
  add("fits_not", R"("before": ["early_stopping"], "after": ["model_checkpoint"],)");
  add("absent", R"("before": ["timer"],)");
  const Arguments stopping = {"--set", "callbacks.early_stopping.monitor=val_loss"};
  const ProcessResult fit = user.fit(1, stopping);
  CHECK(fit.exit_code == 0);
  CHECK_THAT(fit.error,
             Contains("warning: plugin 'fits_not' asks to come before 'early_stopping', but comes "
                      "after it: plugins are called after the callbacks of run.json") &&
                 Contains("plugin 'fits_not' asks to come after 'model_checkpoint'") &&
                 !Contains("'fits' asks") && !Contains("'absent' asks"));
  const std::string once = "'fits_not' asks to come before";
  CHECK(fit.error.find(once) == fit.error.rfind(once));
  Arguments explain = stopping;
  explain.push_back("--explain");
  CHECK_THAT(user.fit(1, explain).output,
             Contains("enabled; it asks to come before 'early_stopping', but comes after it"));
}

TEST_CASE("without a home that can be written, a training takes plugins by file, and says so") {
  const Trainee user;
  const std::string library = std::string(PLUGIN_DIRECTORY) + "/ema.so";
  const ProcessResult fit =
      run_process({.program = GRAPNEL,
                   .arguments = {"fit", "--set", "trainer.max_epochs=1", "--set",
                                 "trainer.limit_train_batches=2", "--json", "--plugin", library},
                   .environment = {{"HOME", "/dev/null"},
                                   {"XDG_CONFIG_HOME", ""},
                                   {"XDG_DATA_HOME", ""},
                                   {"XDG_CACHE_HOME", ""},
                                   {"XDG_RUNTIME_DIR", ""},
                                   {"TMPDIR", user.dir.path().string()}},
                   .working_directory = user.directories.project,
                   .deadline_seconds = 100 * kPatience});
  INFO(fit.error);
  REQUIRE(fit.exit_code == 0);
  CHECK(parse_json(fit.output, "answer").at("plugins").as_array()[0].at("id").as_string() == "ema");
  CHECK_THAT(fit.error, Contains("warning: cannot write to '/dev/null/") &&
                            Contains("(Not a directory): a private directory is used for this run "
                                     "only") &&
                            Contains("XDG_DATA_HOME"));
  for (const auto& entry : std::filesystem::directory_iterator(user.dir.path())) {
    CHECK_FALSE(entry.path().filename().string().starts_with("grapnel-run-"));
  }
}

TEST_CASE("names from a configuration or a checkpoint cannot control the terminal") {
  const Trainee user;
  const Arguments labelled = {
      "--set",
      R"(callbacks={"early_stopping": {"monitor": "val_loss", "label": "x\u001b[31m\u202e"}})"};
  Arguments explain = labelled;
  explain.push_back("--explain");
  const ProcessResult explained = user.fit(1, explain);
  CHECK_THAT(explained.output, Contains("x\\x1b[31m\\u202e"));
  const ProcessResult first = user.fit(1, labelled);
  REQUIRE(first.exit_code == 0);
  const ProcessResult second = user.fit(2, {"--ckpt", "last", "--set", "callbacks={}"});
  CHECK(second.exit_code == 0);
  CHECK_THAT(second.error, Contains("states of callbacks that this run doesn't have") &&
                               Contains("x\\x1b[31m\\u202e"));
  for (const ProcessResult& result : {explained, first, second}) {
    CHECK((result.output + result.error).find('\x1b') == std::string::npos);
    CHECK((result.output + result.error).find("\xe2\x80\xae") == std::string::npos);
  }
}

TEST_CASE("the state of a plugin that is left out for one run is still there for the next") {
  const Trainee user;
  user.drop_in("ema");
  user.run({"plugin", "enable", "ema"});
  user.fit_json(1);
  const Arguments last = {"--run-dir", "runs/mlp-digits-0", "--ckpt", "last"};
  Arguments without = last;
  without.insert(without.end(), {"--no-plugin", "ema"});
  const ProcessResult second = user.fit(2, without);
  CHECK(second.exit_code == 0);
  CHECK_THAT(second.error, Contains("warning") && Contains("ema/ema/"));
  const auto tensors = tensors_of(user.here("runs/mlp-digits-0/checkpoints/last.ckpt"));
  CHECK(std::any_of(tensors.begin(), tensors.end(),
                    [](const auto& tensor) { return tensor.first.starts_with("callbacks."); }));
  CHECK(user.fit(3, last).exit_code == 0);
}

}  // namespace plugins_in_training_test
