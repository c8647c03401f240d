#include <cmath>
#include <filesystem>
#include <functional>

#include <grapnel/base/checkpoint_file.h>

#include "../base/tensor_samples.h"
#include "catch.h"
#include "grapnel_user.h"

namespace checkpoint_diff_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

struct Content {
  std::vector<float> weight = {1, 2, 3};
  std::string dtype = "F32";
  std::vector<std::int64_t> shape = {3};
  std::vector<std::uint16_t> half = {0x3f80, 0xc000};  // 1 and -2 as bfloat16
  std::int64_t step = 300;
  std::string callbacks = R"({"A": {"wait": 1, "best": {"$number": "inf"}}})";
  // Files may name one tensor differently.
  std::string weight_name = "model.weight";
};

std::string written(const GrapnelUser& user, const std::string& name, const Content& content) {
  const auto weight = bytes_of<float>(content.weight);
  const auto half = bytes_of<std::uint16_t>(content.half);
  const std::vector<TensorView> tensors = {
      {content.weight_name, content.dtype, content.shape, weight},
      {"model.half", "BF16", {static_cast<std::int64_t>(content.half.size())}, half}};
  ConfigValue document =
      parse_json(R"({"checkpoint": {"state_dict": {"weight": {"$tensor": ")" + content.weight_name +
                     R"("}, "half": {"$tensor": "model.half"}}, "global_step": )" +
                     std::to_string(content.step) + R"(, "callbacks": )" + content.callbacks + "}}",
                 "");
  const fs::path file = user.directories.project / name;
  write_checkpoint_file(file, tensors, document);
  return file.string();
}

}  // namespace

TEST_CASE("checkpoint diff of equal checkpoints exits with 0, whatever their tensors are called") {
  const GrapnelUser user;
  const std::string a = written(user, "a.ckpt", {});
  Content renamed;
  renamed.weight_name = "callbacks.0.weight";
  const std::string b = written(user, "b.ckpt", renamed);
  CHECK_THAT(user.answer({"checkpoint", "diff", a, b}),
             Contains("equal: 0 tensors differ, 2 are equal; 0 other values differ"));
  CHECK(user.json({"checkpoint", "diff", a, a}).at("equal").as_bool());
}

TEST_CASE("checkpoint diff shows by how much tensors differ, and exits with 1") {
  const GrapnelUser user;
  Content other;
  other.weight = {1, 2.5, 1};
  other.half = {0x3f80, 0xc080};  // -4
  const std::string a = written(user, "a.ckpt", {});
  const std::string b = written(user, "b.ckpt", other);
  const ProcessResult result = user.run({"checkpoint", "diff", a, b});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.output, Contains("state_dict.weight") && Contains("F32 [3]") &&
                                Contains("different: 2 tensors differ, 0 are equal"));
  const ConfigValue json = user.json({"checkpoint", "diff", a, b});
  const ConfigValue& weight = json.at("tensors").as_array().at(0);
  CHECK(weight.at("place").as_string() == "state_dict.weight");
  CHECK(weight.at("max_difference").as_double() == 2);
  CHECK(weight.at("elements").as_int() == 2);
  CHECK(json.at("tensors").as_array().at(1).at("max_difference").as_double() == 2);
  CHECK_FALSE(json.at("equal").as_bool());
}

TEST_CASE("checkpoint diff compares only tensors of one type, and finds those that are missing") {
  const GrapnelUser user;
  Content other;
  other.shape = {3, 1};
  const std::string a = written(user, "a.ckpt", {});
  const std::string b = written(user, "b.ckpt", other);
  const ConfigValue json = user.json({"checkpoint", "diff", a, b});
  const ConfigValue& weight = json.at("tensors").as_array().at(0);
  CHECK(weight.at("b").at("shape").size() == 2);
  CHECK(weight.at("max_difference").is_null());
  Content more;
  more.callbacks = R"({"A": {"wait": 1, "best": {"$number": "inf"}},
                       "B": {"average": {"$tensor": "model.weight"}}})";
  const std::string c = written(user, "c.ckpt", more);
  const ConfigValue missing =
      user.json({"checkpoint", "diff", a, c}).at("tensors").as_array().at(0);
  CHECK(missing.at("place").as_string() == "callbacks.B.average");
  CHECK(missing.at("a").is_null());
  CHECK(missing.at("b").at("dtype").as_string() == "F32");
}

TEST_CASE("checkpoint diff shows counters and states of callbacks, all of them or one part") {
  const GrapnelUser user;
  Content other;
  other.step = 301;
  other.callbacks = R"({"A": {"wait": 2, "best": {"$number": "inf"}, "extra": []}})";
  const std::string a = written(user, "a.ckpt", {});
  const std::string b = written(user, "b.ckpt", other);
  const ProcessResult result = user.run({"checkpoint", "diff", a, b});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.output, Contains("global_step") && Contains("300") && Contains("301") &&
                                Contains("callbacks.A.wait") && Contains("callbacks.A.extra") &&
                                Contains("3 other values differ"));
  const ProcessResult part = user.run({"checkpoint", "diff", "--below", "callbacks", a, b});
  CHECK_THAT(part.output, Contains("2 other values differ"));
  CHECK(user.run({"checkpoint", "diff", "--below", "state_dict", a, b}).exit_code == 0);
  const ProcessResult unknown = user.run({"checkpoint", "diff", "--below", "weights", a, b});
  CHECK(unknown.exit_code == 5);
  CHECK_THAT(unknown.error, Contains("neither it nor the other one has 'weights'"));
}

TEST_CASE("checkpoint diff refuses a damaged file, naming it") {
  const GrapnelUser user;
  const std::string a = written(user, "a.ckpt", {});
  const std::string b = written(user, "b.ckpt", {});
  fs::resize_file(b, fs::file_size(b) - 1);
  const ProcessResult result = user.run({"checkpoint", "diff", a, b});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.error, Contains("b.ckpt") && Contains("truncated"));
}

}  // namespace checkpoint_diff_test
