#include <filesystem>
#include <fstream>
#include <vector>

#include <grapnel/base/checkpoint_file.h>

#include "catch.h"
#include "grapnel_user.h"

namespace checkpoint_commands_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::GrapnelUser;
namespace fs = std::filesystem;

namespace {

// A checkpoint in the form that core gives it (core/include/grapnel/checkpoint.h).
fs::path write_checkpoint(const GrapnelUser& user, bool weights_only = false) {
  static const std::vector<float> data(12, 1.5f);
  const auto bytes = std::as_bytes(std::span(data));
  std::vector<TensorView> tensors = {
      {"model.layer.weight", "F32", {3, 2}, bytes.first(24)},
      {"model.layer.bias", "F32", {3}, bytes.first(12)},
  };
  ConfigValue document = parse_json(R"({
    "callback_keys": ["EarlyStopping{'monitor': 'val_loss'}", "ema/ema/0.9"],
    "checkpoint": {
      "epoch": 2, "global_step": 300, "grapnel_version": "0.1.0",
      "state_dict": {"layer.weight": {"$tensor": "model.layer.weight"},
                     "layer.bias": {"$tensor": "model.layer.bias"}},
      "loops": {"fit_loop": {"batch_progress": {"current": {"completed": 50}}}}}})",
                                    "");
  if (!weights_only) {
    tensors.push_back({"callbacks.1.state.average", "F32", {12}, bytes});
    tensors.push_back({"rng.cpu", "U8", {8}, bytes.first(8)});
    const ConfigValue more = parse_json(R"({
      "callbacks": {
        "EarlyStopping{'monitor': 'val_loss'}": {"wait_count": 1, "best_score": 0.5},
        "ema/ema/0.9": {"version": "1.2.0", "keep_if_absent": true,
                        "state": {"average": {"$tensor": "callbacks.1.state.average"}, "steps": 7}}},
      "optimizer_states": [{}], "lr_schedulers": [{}, {}],
      "hyper_parameters": {"hidden": 64}})",
                                        "");
    for (const auto& member : more.as_object()) {
      document.find("checkpoint")->set(member.key, member.value);
    }
  }
  const fs::path file = user.directories.project / "last.ckpt";
  write_checkpoint_file(file, tensors, document);
  return file;
}

}  // namespace

TEST_CASE("checkpoint show lists progress, tensors and the callbacks' states") {
  const GrapnelUser user;
  const std::string file = write_checkpoint(user).string();
  const std::string answer = user.answer({"checkpoint", "show", file});
  CHECK_THAT(answer, Contains("grapnel 0.1.0 (format 1)") &&
                         Contains("epoch 2, step 300, 50 batches of the epoch") &&
                         Contains("weights, 1 optimizer, 2 schedulers, 2 callback states") &&
                         Contains("{\"hidden\":64}"));
  CHECK_THAT(answer, Contains("layer.weight  F32   24 B  [3, 2]\n") &&
                         Contains("2 tensors, 9 elements, 36 B\n"));
  CHECK_THAT(answer, Contains("EarlyStopping{'monitor': 'val_loss'}") &&
                         Contains("wait_count, best_score"));
  CHECK_THAT(answer, Contains("1.2.0") && Contains("1 (48 B)") && Contains("average, steps"));
  CHECK_THAT(answer, Contains("Other tensors: rng: 1 tensor, 8 B"));
}

TEST_CASE("checkpoint show says when a checkpoint holds only weights") {
  const GrapnelUser user;
  const std::string file = write_checkpoint(user, true).string();
  CHECK_THAT(user.answer({"checkpoint", "show", file}), Contains("the model's weights only"));
}

TEST_CASE("checkpoint show --json has every state") {
  const GrapnelUser user;
  const ConfigValue json = user.json({"checkpoint", "show", write_checkpoint(user).string()});
  CHECK(json.at("global_step").as_int() == 300);
  CHECK(json.at("tensors").at("model").size() == 2);
  const ConfigValue& ema = json.at("callbacks").as_array().at(1);
  CHECK(ema.at("key").as_string() == "ema/ema/0.9");
  CHECK(ema.at("plugin_version").as_string() == "1.2.0");
  CHECK(ema.at("state").at("state").at("steps").as_int() == 7);
}

TEST_CASE("checkpoint verify finds a single changed byte") {
  const GrapnelUser user;
  const fs::path file = write_checkpoint(user);
  CHECK_THAT(user.answer({"checkpoint", "verify", file.string()}),
             Contains("ok " + file.string() + ": 4 tensors"));
  const fs::path damaged = user.directories.project / "damaged.ckpt";
  fs::copy_file(file, damaged);
  std::string content = test::read_file(damaged);
  content[content.size() - 60] = static_cast<char>(content[content.size() - 60] ^ 1);
  std::ofstream(damaged, std::ios::binary) << content;
  const ProcessResult result = user.run({"checkpoint", "verify", file.string(), damaged.string()});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.output, Contains("ok ") && Contains("2 files, 1 damaged"));
  CHECK_THAT(result.error, Contains("damaged.ckpt"));
  const ConfigValue json = user.json({"checkpoint", "verify", damaged.string()});
  CHECK_FALSE(json.as_array().at(0).at("ok").as_bool());
}

TEST_CASE("checkpoint commands refuse a file that is not a checkpoint, saying what it is") {
  const GrapnelUser user;
  user.dir.write("project/notes.ckpt", "just some text, nothing else");
  for (const char* command : {"show", "verify"}) {
    const ProcessResult result = user.run({"checkpoint", command, "notes.ckpt"});
    CHECK(result.exit_code == 5);
    CHECK_THAT(result.error, Contains("checkpoint 'notes.ckpt': "));
  }
  CHECK_THAT(user.run({"checkpoint", "show", "absent.ckpt"}).error, Contains("No such file"));
}

}  // namespace checkpoint_commands_test
