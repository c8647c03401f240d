#include "grapnel/checkpoint.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>
#include <random>

#include "catch.h"
#include "grapnel/base/error.h"
#include "temp_dir.h"

namespace checkpoint_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::TempDir;

namespace {

bool same(const StateDict& a, const StateDict& b);

// Equal in kind and in every bit; NaN equals NaN.
bool same(const StateValue& a, const StateValue& b) {
  if (a.variant().index() != b.variant().index()) return false;
  if (a.is_tensor()) {
    const at::Tensor& x = a.to_tensor();
    const at::Tensor& y = b.to_tensor();
    if (!x.defined() || !y.defined()) return x.defined() == y.defined();
    if (x.scalar_type() != y.scalar_type() || x.sizes() != y.sizes()) return false;
    const at::Tensor flat = x.detach().cpu().contiguous();
    return y.is_contiguous() && y.is_cpu() && y.storage_offset() == 0 &&
           (x.numel() == 0 ||
            std::memcmp(flat.const_data_ptr(), y.const_data_ptr(), y.nbytes()) == 0);
  }
  if (a.is_list()) {
    if (a.to_list().size() != b.to_list().size()) return false;
    for (size_t i = 0; i < a.to_list().size(); ++i) {
      if (!same(a.to_list()[i], b.to_list()[i])) return false;
    }
    return true;
  }
  if (a.is_dict()) return same(a.to_dict(), b.to_dict());
  if (a.is_double()) {
    return (std::isnan(a.to_double()) && std::isnan(b.to_double())) ||
           std::bit_cast<uint64_t>(a.to_double()) == std::bit_cast<uint64_t>(b.to_double());
  }
  if (a.is_string()) return a.to_string() == b.to_string();
  if (a.is_int()) return a.to_int() == b.to_int();
  if (a.is_bool()) return a.to_bool() == b.to_bool();
  return true;
}

bool same(const StateDict& a, const StateDict& b) {
  if (a.size() != b.size()) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x->first != y->first || !same(x->second, y->second)) return false;
  }
  return true;
}

StateDict round_trip(const StateDict& state) {
  const TempDir directory;
  save_checkpoint_file(directory / "x.ckpt", state, Durability::fast);
  return load_checkpoint_file(directory / "x.ckpt");
}

std::vector<std::string> tensor_names(const StateDict& state) {
  const TempDir directory;
  save_checkpoint_file(directory / "x.ckpt", state, Durability::fast);
  std::vector<std::string> names;
  const CheckpointFile file = CheckpointFile::open(directory / "x.ckpt");
  for (const TensorEntry& entry : file.tensors()) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("checkpoint values of every type are restored as they were") {
  const double tiny = std::numeric_limits<double>::denorm_min();
  const double infinity = std::numeric_limits<double>::infinity();
  const StateDict state = {
      {"null", {}},
      {"flags", StateList{true, false}},
      {"integers",
       StateList{0, -1, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}},
      {"numbers", StateList{0.1, 1.0, -0.0, 1e300, tiny, std::nan(""), infinity, -infinity}},
      {"texts", StateList{"", "nan", "inf", "$tensor", "\xC3\xA4\xF0\x9F\x90\x99",
                          std::string("a\0b\n\x1b", 5), "\xff\xfe"}},
      {"empty list", StateList{}},
      {"empty dict", StateDict{}},
      {"nested", StateList{StateList{}, StateDict{{"a", StateList{StateDict{{"b", 1}}, {}}}}}},
      {"undefined", at::Tensor()}};
  CHECK(same(state, round_trip(state)));
  CHECK(same(StateDict(), round_trip({})));
}

TEST_CASE("checkpoint keys are restored as they were, with any characters") {
  StateDict keys;
  for (const char* key :
       {"a.b", "", " ", "EarlyStopping{monitor: 'val_loss', mode: \"min\"}", "\xE9\x9F\xB3",
        "$dict", "$tensor", "$", "\xff", "__metadata__", "grapnel.checksum", "format_version"}) {
    keys[key] = StateDict{{key, at::ones({1})}, {"value", 1}};
  }
  CHECK(same(keys, round_trip(keys)));
  StateDict callbacks = {{"callbacks", keys}, {"format_version", 3}, {"checkpoint", StateDict{}}};
  CHECK(same(callbacks, round_trip(callbacks)));
}

TEST_CASE("checkpoint tensors of every dtype, shape and layout are restored bit for bit") {
  StateDict state;
  for (const auto dtype :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
        at::kChar, at::kByte, at::kBool, at::kFloat8_e4m3fn, at::kFloat8_e5m2, at::kUInt16,
        at::kUInt32, at::kUInt64, at::kComplexFloat, at::kComplexDouble}) {
    state[c10::toString(dtype)] = at::arange(6, at::kFloat).view({2, 3}).to(dtype);
  }
  const at::Tensor base = at::arange(24, at::kFloat);
  state["transposed"] = base.view({4, 6}).t();
  state["channels last"] = base.view({1, 2, 3, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  state["every second"] = base.slice(0, 1, 20, 2);
  state["expanded"] = base.narrow(0, 0, 1).expand({3, 1});
  state["the same storage"] = base.narrow(0, 2, 5);
  state["scalar"] = at::scalar_tensor(2.5);
  state["empty"] = at::empty({0});
  state["empty with shape"] = at::empty({3, 0, 2}, at::kLong);
  state["conjugate"] = at::view_as_complex(base.view({12, 2})).conj();
  state["special"] =
      at::tensor({std::nan(""), -0.0, std::numeric_limits<double>::infinity()}, at::kDouble);
  state["needs grad"] = at::ones({2}).requires_grad_();
  const StateDict loaded = round_trip(state);
  for (const auto& [key, value] : state) {
    INFO(key);
    if (key == "conjugate") {
      CHECK(value.to_tensor().equal(loaded.at(key).to_tensor()));
    } else {
      CHECK(same(value, loaded.at(key)));
    }
  }
  CHECK_FALSE(loaded.at("needs grad").to_tensor().requires_grad());
}

TEST_CASE("tensors in a checkpoint file are named after their path, those of callbacks by number") {
  const at::Tensor t = at::ones({1});
  const StateDict state = {
      {"state_dict", StateDict{{"layer.weight", t}}},
      {"optimizer_states",
       StateList{StateDict{{"state", StateDict{{"0", StateDict{{"exp_avg", t}}}}}}}},
      {"callbacks",
       StateDict{{"no tensors", 1},
                 {"plugin/ema{decay: 0.9}", StateDict{{"average", StateDict{{"w", t}}}}},
                 {"B", StateDict{{"x", StateList{t, t}}}}}},
      {"rng", StateDict{{"cpu", t}}},
      {"loops", StateDict{{"fit", StateDict{{"t", t}}}}},
      {"model", StateDict{{"layer", StateDict{{"weight", t}}}}},
      {"mine", t}};
  CHECK(tensor_names(state) == std::vector<std::string>{"callbacks.1.average.w", "callbacks.2.x.0",
                                                        "callbacks.2.x.1", "loops.fit.t", "mine",
                                                        "model.layer.weight",
                                                        "model.layer.weight#2",
                                                        "optimizers.0.state.0.exp_avg", "rng.cpu"});
  const TempDir directory;
  save_checkpoint_file(directory / "x.ckpt", state, Durability::fast);
  const ConfigValue keys =
      CheckpointFile::open(directory / "x.ckpt").document().at("callback_keys");
  CHECK(write_json(keys) == R"(["no tensors","plugin/ema{decay: 0.9}","B"])");
}

TEST_CASE("random generators' states are restored from a checkpoint as they were") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&random](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n));
  };
  const auto text = [&] {
    std::string made;
    for (int i = below(6); i > 0; --i)
      made += static_cast<char>(below(4) == 0 ? below(256) : 'a' + below(26));
    return below(8) == 0 ? "$" + made : made;
  };
  std::function<StateValue(int)> any = [&](int depth) -> StateValue {
    switch (below(depth > 0 ? 8 : 6)) {
      case 0:
        return {};
      case 1:
        return below(2) == 1;
      case 2:
        return static_cast<int64_t>(random()) * (below(2) * 2 - 1);
      case 3:
        return std::ldexp(static_cast<double>(random()), below(2000) - 1000);
      case 4:
        return text();
      case 5:
        return at::rand({below(3), below(3) + 1});
      case 6: {
        StateList list;
        for (int i = below(4); i > 0; --i) list.push_back(any(depth - 1));
        return list;
      }
      default: {
        StateDict dict;
        for (int i = below(4); i > 0; --i) dict[text()] = any(depth - 1);
        return dict;
      }
    }
  };
  for (int round = 0; round < 60; ++round) {
    StateDict state;
    for (const char* part : {"state_dict", "optimizer_states", "callbacks", "rng", "other"})
      state[part] = any(4);
    REQUIRE(same(state, round_trip(state)));
  }
}

TEST_CASE("a value that a checkpoint can't hold is refused with its path, and the old file stays") {
  const TempDir directory;
  const auto path = directory / "x.ckpt";
  save_checkpoint_file(path, {{"epoch", 1}}, Durability::fast);
  const auto refused = [&](const at::Tensor& tensor, const std::string& why) {
    const StateDict state = {{"callbacks", StateDict{{"A", StateDict{{"t", tensor}}}}}};
    CHECK_THROWS_AS(save_checkpoint_file(path, state), CheckpointError);
    CHECK_THROWS_WITH(save_checkpoint_file(path, state),
                      Contains("'callbacks.A.t'") && Contains(why));
  };
  refused(at::ones({2}).to_sparse(), "sparse");
  refused(at::_empty_affine_quantized({2}, at::kQInt8), "quantized");
  refused(at::empty({2}, at::TensorOptions().device("meta")), "meta");
  StateDict deep;
  for (int i = 0; i < 600; ++i) deep = {{"x", deep}};
  CHECK_THROWS_WITH(save_checkpoint_file(path, deep), Contains("can't be written"));
  CHECK(load_checkpoint_file(path).at("epoch").to_int() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
  CHECK_THROWS_AS(save_checkpoint_file(directory / "missing" / "x.ckpt", deep), CheckpointError);
  CHECK_THROWS_AS(save_checkpoint_file(directory / "missing" / "x.ckpt", {}), IoError);
}

TEST_CASE("a damaged checkpoint is refused before any of it is returned") {
  const TempDir directory;
  const auto path = directory / "x.ckpt";
  save_checkpoint_file(path, {{"state_dict", StateDict{{"w", at::ones({1000})}}}},
                       Durability::fast);
  std::string bytes = grapnel::test::read_file(path);
  bytes[bytes.size() / 2] ^= 1;
  directory.write("x.ckpt", bytes);
  CHECK_THROWS_AS(load_checkpoint_file(path), CheckpointError);
  CHECK_THROWS_WITH(load_checkpoint_file(path), Contains("model.w"));
}

TEST_CASE(
    "a checkpoint whose document leaves out a tensor of the file, or has one twice, is refused") {
  const TempDir directory;
  const auto path = directory / "x.ckpt";
  const std::vector<float> data = {1, 2};
  const std::vector<TensorView> tensors = {
      {"optimizers.0.state.0.exp_avg", "F32", {2}, std::as_bytes(std::span(data))}};
  const auto refusal = [&](std::string_view text) {
    write_checkpoint_file(path, tensors, parse_json(text, "test"), Durability::fast);
    try {
      load_checkpoint_file(path);
    } catch (const CheckpointError& error) {
      CHECK(error.path == path);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal(R"({"checkpoint": {"optimizer_states": [{"state": {}}]}})"),
             Contains("doesn't mention the tensor 'optimizers.0.state.0.exp_avg'"));
  CHECK_THAT(refusal(R"({"checkpoint": {"a": {"$tensor": "optimizers.0.state.0.exp_avg"},
                                        "b": {"$tensor": "optimizers.0.state.0.exp_avg"}}})"),
             Contains("has the tensor 'optimizers.0.state.0.exp_avg' twice"));
}

TEST_CASE("a malformed checkpoint document is refused with the path of the mistake") {
  const TempDir directory;
  const auto path = directory / "x.ckpt";
  const auto refused = [&](std::string_view text, const std::string& part) {
    write_checkpoint_file(path, {}, parse_json(text, "test"), Durability::fast);
    CHECK_THROWS_AS(load_checkpoint_file(path), CheckpointError);
    CHECK_THROWS_WITH(load_checkpoint_file(path), Contains(part));
  };
  refused(R"({})", "checkpoint");
  refused(R"({"checkpoint": 3})", "the integer 3");
  refused(R"({"checkpoint": {"w": {"$tensor": "model.w"}}})", "model.w");
  refused(R"({"checkpoint": {"w": {"$tensor": 5}}})", "$tensor");
  refused(R"({"checkpoint": {"w": {"$bytes": "0g"}}})", "hexadecimal");
  refused(R"({"checkpoint": {"w": {"$dict": [["a"]]}}})", "pair");
  refused(R"({"checkpoint": {"w": {"$dict": [["a", 1], ["a", 2]]}}})", "twice");
}

TEST_CASE("a tensor that is not the complex one that a checkpoint's document says is refused") {
  const TempDir directory;
  const auto path = directory / "x.ckpt";
  const std::vector<std::byte> zeros(16);
  const auto refused = [&](const std::string& dtype, std::vector<int64_t> shape, std::size_t bytes,
                           const std::string& complex) {
    const TensorView view{"w", dtype, std::move(shape), std::span(zeros).first(bytes)};
    const std::string text = R"({"checkpoint": {"w": {"$tensor": "w", "dtype": )" + complex + "}}}";
    write_checkpoint_file(path, std::span(&view, 1), parse_json(text, "test"), Durability::fast);
    CHECK_THROWS_AS(load_checkpoint_file(path), CheckpointError);
  };
  refused("BF16", {2, 2}, 8, "\"complex64\"");
  refused("F16", {2, 2}, 8, "\"complex64\"");
  refused("F64", {2}, 16, "\"complex64\"");
  refused("F32", {4}, 16, "\"complex64\"");
  refused("F32", {}, 4, "\"complex64\"");
  refused("F32", {2}, 8, "\"complex32\"");
  refused("F32", {2}, 8, "64");
}

TEST_CASE("a checkpoint that is loaded in inference mode can be trained with") {
  const c10::InferenceMode inference;
  CHECK_FALSE(round_trip({{"t", at::ones({2})}}).at("t").to_tensor().is_inference());
}

TEST_CASE("loading into a live tensor copies in place, or fails and changes nothing") {
  const at::Tensor live = at::zeros({2, 2}).requires_grad_();
  const void* data = live.const_data_ptr();
  load_into(live, at::ones({2, 2}), "layer.weight");
  CHECK(live.sum().item().toDouble() == 4.0);
  CHECK(live.const_data_ptr() == data);
  CHECK(live.requires_grad());
  CHECK_THROWS_AS(load_into(live, at::ones({4}), "layer.weight"), CheckpointError);
  CHECK_THROWS_WITH(load_into(live, at::ones({4}), "layer.weight"),
                    Contains("'layer.weight'") && Contains("[4]") && Contains("[2, 2]"));
  CHECK_THROWS_WITH(load_into(live, at::ones({2, 2}, at::kDouble), "w"),
                    Contains("Double") && Contains("Float"));
  CHECK_THROWS_WITH(load_into(live, at::Tensor(), "w"), Contains("nothing"));
  CHECK(live.sum().item().toDouble() == 4.0);
}

}  // namespace checkpoint_test
