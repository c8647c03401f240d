#include <filesystem>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/safetensors.h>

#include "../base/tensor_samples.h"
#include "catch.h"
#include "grapnel_user.h"

namespace checkpoint_export_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A pruned layer and a plain one; a lease and an average of both.
std::string written(const GrapnelUser& user, bool leased = true) {
  const auto dense = bytes_of<float>({1, -2, 3, -4});
  const auto mask = bytes_of<float>({1, 0, 0, 1});
  const auto bias = bytes_of<double>({0.5});
  const auto leased_dense = bytes_of<float>({10, -20, 30, -40});
  const auto average = bytes_of<float>({100, -200, 300, -400});
  const auto average_of_bias = bytes_of<double>({5});
  const std::vector<TensorView> tensors = {{"model.layer.weight_orig", "F32", {2, 2}, dense},
                                           {"model.layer.weight_mask", "F32", {2, 2}, mask},
                                           {"model.layer.bias", "F64", {1}, bias},
                                           {"model.code_orig", "F64", {1}, bias},
                                           {"leased", "F32", {2, 2}, leased_dense},
                                           {"callbacks.0.a", "F32", {2, 2}, average},
                                           {"callbacks.0.b", "F64", {1}, average_of_bias}};
  std::string text = R"({"checkpoint": {
    "state_dict": {"layer.weight_orig": {"$tensor": "model.layer.weight_orig"},
                   "layer.weight_mask": {"$tensor": "model.layer.weight_mask"},
                   "layer.bias": {"$tensor": "model.layer.bias"},
                   "code_orig": {"$tensor": "model.code_orig"}},
    "callbacks": {"org.example.ema/ema/0.9": {"version": "1", "state": {
      "average": {"parameter.layer.weight": {"$tensor": "callbacks.0.a"},
                  "layer.bias": {"$tensor": "callbacks.0.b"}}, "updates": 7}},
      "Timer": {"seconds": 3}})";
  if (leased) text += R"(, "leased_state_dict": {"layer.weight_orig": {"$tensor": "leased"}})";
  const fs::path file = user.directories.project / "a.ckpt";
  write_checkpoint_file(file, tensors, parse_json(text + "}}", ""));
  return file.string();
}

template <class T>
std::vector<T> values(const SafetensorsFile& file, const std::string& name) {
  const TensorEntry* entry = file.find(name);
  REQUIRE(entry != nullptr);
  const auto bytes = file.bytes(*entry);
  std::vector<T> result(bytes.size() / sizeof(T));
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

}  // namespace

TEST_CASE("checkpoint export writes the model's weights under its own names, pruned ones folded") {
  const GrapnelUser user;
  const std::string to = (user.directories.project / "w.safetensors").string();
  CHECK_THAT(user.answer({"checkpoint", "export", written(user), "-o", to}),
             Contains("3 tensors, 1 of them pruned"));
  const SafetensorsFile file = SafetensorsFile::open(to);
  CHECK(file.tensors().size() == 3);
  const auto weight = values<float>(file, "layer.weight");
  CHECK(weight == std::vector<float>{1, 0, 0, -4});
  CHECK(std::signbit(weight[1]));  // as in PyTorch: -2 * 0
  CHECK(values<double>(file, "layer.bias") == std::vector<double>{0.5});
  CHECK(values<double>(file, "code_orig") == std::vector<double>{0.5});  // no mask: its own name
  CHECK(file.find("layer.weight")->shape == std::vector<std::int64_t>{2, 2});
  CHECK(*file.metadata("format") == "pt");
}

TEST_CASE(
    "checkpoint export takes leased weights or a callback's average instead of the trained ones") {
  const GrapnelUser user;
  const std::string from = written(user);
  const std::string to = (user.directories.project / "w.safetensors").string();
  user.answer({"checkpoint", "export", from, "-o", to, "--leased"});
  CHECK(values<float>(SafetensorsFile::open(to), "layer.weight") ==
        std::vector<float>{10, 0, 0, -40});
  const ConfigValue json =
      user.json({"checkpoint", "export", from, "-o", to, "--callback", "org.example.ema"});
  CHECK(json.at("replaced").as_int() == 2);
  const SafetensorsFile file = SafetensorsFile::open(to);
  CHECK(values<float>(file, "layer.weight") == std::vector<float>{100, 0, 0, -400});
  CHECK(values<double>(file, "layer.bias") == std::vector<double>{5});
}

TEST_CASE("checkpoint export says what there is instead of what was asked for") {
  const GrapnelUser user;
  const std::string from = written(user, /*leased=*/false);
  const std::string to = user.dir.write("project/w.safetensors", "old").string();
  const auto refusal = [&](const Arguments& more, int code) {
    Arguments arguments = {"checkpoint", "export", from, "-o", to};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = user.run(arguments);
    CHECK(result.exit_code == code);
    CHECK(test::read_file(to) == "old");
    return result.error;
  };
  CHECK_THAT(refusal({"--leased"}, 5), Contains("nothing was in the weights' place"));
  CHECK_THAT(refusal({"--callback", "EMA"}, 3), Contains("'org.example.ema/ema/0.9' and 'Timer'"));
  CHECK_THAT(refusal({"--callback", "Timer"}, 5),
             Contains("has no weights under the model's names"));
  CHECK(refusal({"--callback", "Timer", "--leased"}, 2) != "");
  std::string bytes = test::read_file(from);
  bytes[bytes.size() - 40] = static_cast<char>(bytes[bytes.size() - 40] ^ 1);
  user.dir.write("project/a.ckpt", bytes);
  CHECK_THAT(user.run({"checkpoint", "export", from, "-o", to, "--callback", "org"}).error,
             Contains("damaged"));
}

}  // namespace checkpoint_export_test
