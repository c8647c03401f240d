// Extension aten: LibTorch's operators by name, every kind of argument and result.
#include <grapnel/ext/aten.h>

#include <grapnel/base/error.h>
#include <grapnel/callbacks/on_exception_checkpoint.h>

#include <utility>

#include "captured_log.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/operator_lists.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace aten_test {

using namespace grapnel;
using namespace grapnel::test;
using Values = std::vector<double>;
using Arguments = std::vector<grapnel_value>;
using Results = std::vector<grapnel_value>;

namespace {

template <class Body>
void in_hook(Body body) {
  InProcessPlugin plugin;
  bool ran = false;
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    body(caller);
    ran = true;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  REQUIRE(ran);
}

// The values of an operator's only result, which must be a tensor.
Values one(const Caller& caller, const char* name, const char* overload, const Arguments& given) {
  Results results(1);
  REQUIRE(caller.call(name, overload, given, results) == GRAPNEL_OK);
  REQUIRE(results[0].tag == GRAPNEL_VALUE_TENSOR);
  Values values = caller.values(results[0].u.tensor);
  caller.tensors().release(caller.host, results[0].u.tensor);
  return values;
}

}  // namespace

TEST_CASE("an ATen operator is looked up once, by name and overload") {
  in_hook([](const Caller& caller) {
    const grapnel_operator *first = nullptr, *second = nullptr, *unknown = nullptr;
    const grapnel_aten& aten = caller.aten();
    using sv = std::string_view;
    CHECK(aten.find(caller.host, text(sv("aten::lerp_")), text(sv("Scalar")), &first) ==
          GRAPNEL_OK);
    CHECK(aten.find(caller.host, text(sv("aten::lerp_")), text(sv("Scalar")), &second) ==
          GRAPNEL_OK);
    CHECK(first == second);
    CHECK(aten.find(caller.host, text(sv("aten::lerp_")), text(sv("Moon")), &unknown) ==
          GRAPNEL_NOT_FOUND);
    CHECK(unknown == nullptr);
  });
}

TEST_CASE("a Scalar argument takes integers, numbers and booleans") {
  in_hook([](const Caller& caller) {
    grapnel_tensor* x = caller.floats({1, 2});
    CHECK(one(caller, "aten::mul", "Scalar", {value_of(x), value_of(1.5)}) == Values{1.5, 3});
    CHECK(one(caller, "aten::mul", "Scalar", {value_of(x), value_of(std::int64_t{2})}) ==
          Values{2, 4});
    CHECK(one(caller, "aten::mul", "Scalar", {value_of(x), value_of(true)}) == Values{1, 2});
    // An integer stays one: the kind of a Scalar decides the type of the result.
    Results results(1);
    REQUIRE(caller.call("aten::full", "",
                        {integers({1}), value_of(std::int64_t{7}),
                         enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_I64)},
                        results) == GRAPNEL_OK);
    CHECK(caller.describe(results[0].u.tensor).dtype == GRAPNEL_DTYPE_I64);
    caller.tensors().release(caller.host, results[0].u.tensor);
    caller.tensors().release(caller.host, x);
  });
}

TEST_CASE("trailing arguments that have defaults may be left out, optional ones may be none") {
  in_hook([](const Caller& caller) {
    grapnel_tensor* x = caller.floats({3, 4});
    // norm(Tensor self, Scalar p=2); sum(Tensor self, *, ScalarType? dtype=None)
    CHECK(one(caller, "aten::norm", "Scalar", {value_of(x)}) == Values{5});
    CHECK(one(caller, "aten::sum", "", {value_of(x), none()}) == Values{7});
    // clamp(Tensor self, Scalar? min=None, Scalar? max=None)
    CHECK(one(caller, "aten::clamp", "", {value_of(x), none(), value_of(3.5)}) == Values{3, 3.5});
    caller.tensors().release(caller.host, x);
  });
}

TEST_CASE("types, layouts, devices and texts reach the operators that want them") {
  in_hook([](const Caller& caller) {
    // zeros(SymInt[] size, *, ScalarType? dtype, Layout? layout, Device? device, bool? pin_memory)
    Results results(1);
    REQUIRE(caller.call("aten::zeros", "",
                        {integers({2}), enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_F64),
                         enumerated(GRAPNEL_VALUE_LAYOUT, GRAPNEL_TENSOR_STRIDED), device("cpu"),
                         value_of(false)},
                        results) == GRAPNEL_OK);
    grapnel_tensor* zeros = results[0].u.tensor;
    CHECK(caller.describe(zeros).dtype == GRAPNEL_DTYPE_F64);
    // div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode)
    grapnel_tensor* x = caller.floats({7, -7});
    grapnel_tensor* two = caller.floats({2, 2});
    CHECK(one(caller, "aten::div", "Tensor_mode",
              {value_of(x), value_of(two), value_of("floor")}) == Values{3, -4});
    for (grapnel_tensor* tensor : {zeros, x, two}) caller.tensors().release(caller.host, tensor);
  });
}

TEST_CASE("lists are passed to and returned from operators, and the plugin owns their tensors") {
  in_hook([](const Caller& caller) {
    grapnel_tensor* a = caller.floats({1, 2});
    grapnel_tensor* b = caller.floats({3, 4});
    const std::vector<grapnel_tensor*> both = {a, b};
    CHECK(one(caller, "aten::stack", "", {tensors(both)}) == Values{1, 2, 3, 4});

    Results norms(1);
    REQUIRE(caller.call("aten::_foreach_norm", "Scalar", {tensors(both), value_of(std::int64_t{1})},
                        norms) == GRAPNEL_OK);
    REQUIRE(norms[0].tag == GRAPNEL_VALUE_TENSOR_LIST);
    REQUIRE(norms[0].size == 2);
    const std::vector<grapnel_tensor*> made(norms[0].u.tensors, norms[0].u.tensors + 2);
    CHECK(caller.values(made[1]) == Values{7});

    const std::vector<double> factors = {2, 10};
    Results nothing;
    grapnel_value scalars = numbers(factors);
    REQUIRE(caller.call("aten::_foreach_mul_", "ScalarList", {tensors(both), scalars}, nothing) ==
            GRAPNEL_OK);
    CHECK(caller.values(b) == Values{30, 40});
    for (grapnel_tensor* tensor : {made[0], made[1], a, b}) {
      CHECK(caller.tensors().release(caller.host, tensor) == GRAPNEL_OK);
    }
  });
}

TEST_CASE("an operator's results come in order, and a plugin may take only the first") {
  CapturedLog log;
  in_hook([](const Caller& caller) {
    grapnel_tensor* x = caller.floats({5, 9, 7});
    Results both(2);
    REQUIRE(caller.call("aten::max", "dim", {value_of(x), value_of(std::int64_t{0})}, both) ==
            GRAPNEL_OK);
    CHECK(caller.values(both[0].u.tensor) == Values{9});
    CHECK(caller.values(both[1].u.tensor) == Values{1});
    Results first(1);
    REQUIRE(caller.call("aten::max", "dim", {value_of(x), value_of(std::int64_t{0})}, first) ==
            GRAPNEL_OK);
    Results three(3);
    CHECK(caller.call("aten::max", "dim", {value_of(x), value_of(std::int64_t{0})}, three) ==
          GRAPNEL_INVALID_ARGUMENT);
    Results number(1);
    REQUIRE(caller.call("aten::equal", "", {value_of(x), value_of(x)}, number) == GRAPNEL_OK);
    CHECK(number[0].tag == GRAPNEL_VALUE_BOOL);
    CHECK(number[0].u.i64 == 1);
    for (grapnel_tensor* tensor : {both[0].u.tensor, both[1].u.tensor, first[0].u.tensor, x}) {
      caller.tensors().release(caller.host, tensor);
    }
  });
  CHECK(log.count("never released") == 0);
}

TEST_CASE(
    "an argument of another type fails with the parameter's name, what it is, what was found") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    Results results;
    return caller.call("aten::clone", "", {value_of("hello")}, results);
  });
  Toy toy;
  CHECK_THROWS_WITH(
      toy.fit({plugin.handle()}),
      Catch::Contains("aten::clone: the argument 0 ('self') is Tensor, found a text"));
}

TEST_CASE("an exception from an operator leaves fit unchanged") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* two = caller.floats({1, 2});
    grapnel_tensor* three = caller.floats({1, 2, 3});
    Results results;
    const std::int32_t status =
        caller.call("aten::add", "Tensor", {value_of(two), value_of(three)}, results);
    caller.tensors().release(caller.host, two);
    caller.tensors().release(caller.host, three);
    return status;
  });
  Toy toy;
  CHECK_THROWS_AS(toy.fit({plugin.handle()}), c10::Error);
}

TEST_CASE("operators record no gradients, so that parameters may be written to") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_after_backward, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    Results product(1), is_leaf(1), in_place;
    CHECK(caller.call("aten::mul", "Scalar", {value_of(weight), value_of(2.0)}, product) ==
          GRAPNEL_OK);
    CHECK(caller.call("aten::is_leaf", "", {product[0]}, is_leaf) == GRAPNEL_OK);
    CHECK(is_leaf[0].u.i64 == 1);
    CHECK(caller.call("aten::zero_", "", {value_of(weight)}, in_place) == GRAPNEL_OK);
    return caller.tensors().release(caller.host, product[0].u.tensor);
  });
  Toy toy;
  toy.options.limit_train_batches = 1;
  toy.options.limit_val_batches = 0;
  toy.fit({plugin.handle()});
  CHECK(toy.module.weight.is_leaf());
  // One step of SGD away from zero.
  CHECK((toy.module.weight + toy.module.weight.grad() * 0.05).abs().max().item<double>() < 1e-6);
}

TEST_CASE("an enumeration of LibTorch is checked, and no integer or text stands in for it") {
  in_hook([](const Caller& caller) {
    grapnel_tensor* x = caller.floats({1, 2});
    const auto to = [&](const grapnel_value& dtype) {
      Results results(1);
      const std::int32_t status = caller.call("aten::to", "dtype", {value_of(x), dtype}, results);
      if (status == GRAPNEL_OK) caller.tensors().release(caller.host, results[0].u.tensor);
      return status;
    };
    CHECK(to(enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_F64)) == GRAPNEL_OK);
    for (const std::int64_t dtype : {std::int64_t{-1}, std::int64_t{9999}, INT64_MAX}) {
      CHECK(to(enumerated(GRAPNEL_VALUE_DTYPE, dtype)) == GRAPNEL_UNSUPPORTED);
    }
    CHECK(to(value_of(std::int64_t{GRAPNEL_DTYPE_F64})) == GRAPNEL_PENDING);
    const auto clone = [&](std::int64_t format) {
      Results results(1);
      const std::int32_t status =
          caller.call("aten::clone", "",
                      {value_of(x), enumerated(GRAPNEL_VALUE_MEMORY_FORMAT, format)}, results);
      if (status == GRAPNEL_OK) caller.tensors().release(caller.host, results[0].u.tensor);
      return status;
    };
    CHECK(clone(GRAPNEL_MEMORY_FORMAT_PRESERVE) == GRAPNEL_OK);
    CHECK(clone(99) == GRAPNEL_UNSUPPORTED);
    Results zeros(1);
    CHECK(caller.call("aten::zeros", "",
                      {integers({2}), none(), enumerated(GRAPNEL_VALUE_LAYOUT, 77)},
                      zeros) == GRAPNEL_UNSUPPORTED);
    CHECK(caller.call("aten::zeros", "", {integers({2}), none(), none(), device("moon")}, zeros) ==
          GRAPNEL_PENDING);
    caller.tensors().release(caller.host, x);
  });
}

TEST_CASE("an operator tells its schema, and takes its arguments by name") {
  in_hook([](const Caller& caller) {
    const grapnel_operator* op = nullptr;
    REQUIRE(caller.aten().find(caller.host, text(std::string_view("aten::lerp_")),
                               text(std::string_view("Scalar")), &op) == GRAPNEL_OK);
    const grapnel_operator_info* info = nullptr;
    REQUIRE(caller.aten().describe(caller.host, op, &info) == GRAPNEL_OK);
    CHECK(text(info->schema) ==
          "aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)");
    REQUIRE(info->argument_count == 3);
    CHECK(text(info->arguments[0]->name) == "self");
    CHECK(info->arguments[0]->flags == GRAPNEL_ARGUMENT_WRITTEN);
    CHECK(text(info->arguments[2]->type) == "Scalar");
    CHECK(info->result_count == 1);

    grapnel_tensor* x = caller.floats({0, 0});
    grapnel_tensor* end = caller.floats({2, 4});
    const grapnel_string names[] = {text(std::string_view("weight")),
                                    text(std::string_view("self")), text(std::string_view("end"))};
    const grapnel_value arguments[] = {value_of(0.5), value_of(x), value_of(end)};
    CHECK(caller.aten().call_named(caller.host, op, names, arguments, 3, nullptr, 0) == GRAPNEL_OK);
    CHECK(caller.values(x) == Values{1, 2});
    const grapnel_string strange[] = {text(std::string_view("heaviness")), names[1], names[2]};
    CHECK(caller.aten().call_named(caller.host, op, strange, arguments, 3, nullptr, 0) ==
          GRAPNEL_UNSUPPORTED);
    const grapnel_string doubled[] = {names[1], names[1], names[2]};
    CHECK(caller.aten().call_named(caller.host, op, doubled, arguments, 3, nullptr, 0) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(caller.aten().call_named(caller.host, op, names, arguments, 2, nullptr, 0) ==
          GRAPNEL_PENDING);  // without `end`
    for (grapnel_tensor* tensor : {x, end}) caller.tensors().release(caller.host, tensor);
  });
}

TEST_CASE("random operators of a plugin don't move the training's generator, and differ") {
  const auto losses = [](bool draws) {
    InProcessPlugin plugin;
    std::vector<Values> drawn;
    plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
      if (!draws) return GRAPNEL_OK;
      Results results(1);
      REQUIRE(caller.call("aten::rand", "", {integers({3})}, results) == GRAPNEL_OK);
      drawn.push_back(caller.values(results[0].u.tensor));
      return caller.tensors().release(caller.host, results[0].u.tensor);
    });
    Toy toy;
    Values seen;
    at::manual_seed(7);
    toy.module.during_step = [&](const std::string&, Batch&) {
      seen.push_back(at::rand({1}).item<double>());
    };
    toy.fit({plugin.handle()});
    if (draws) {
      REQUIRE(drawn.size() > 1);
      CHECK(drawn[0] != drawn[1]);
    }
    return std::pair(seen, drawn);
  };
  CHECK(losses(true).first == losses(false).first);
  CHECK(losses(true).second == losses(true).second);  // repeatable
}

TEST_CASE("a plugin's generators come back from a checkpoint, and are in the next one") {
  TempDir directory;
  const std::string file = (directory / "last.ckpt").string();
  std::vector<Values> drawn;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    Results results(1);
    REQUIRE(caller.call("aten::rand", "", {integers({3})}, results) == GRAPNEL_OK);
    drawn.push_back(caller.values(results[0].u.tensor));
    return caller.tensors().release(caller.host, results[0].u.tensor);
  });
  const auto fit = [&](int epochs, const std::string& from) {
    Toy toy;
    toy.options.max_epochs = epochs;
    at::manual_seed(7);
    toy.fit({plugin.handle()}, {.ckpt_path = from});
    toy.trainer->save_checkpoint(file);
  };
  fit(3, "");
  const std::vector<Values> whole = std::exchange(drawn, {});
  fit(1, "");
  fit(2, file);
  fit(3, file);
  CHECK(drawn == whole);
}

TEST_CASE("a batch that is done again after a failure draws the same numbers again") {
  TempDir directory;
  const std::string file = (directory / "failed.ckpt").string();
  std::vector<Values> drawn;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    for (int i = 0; i < 2; ++i) {
      Results results(1);
      REQUIRE(caller.call("aten::rand", "", {integers({3})}, results) == GRAPNEL_OK);
      drawn.push_back(caller.values(results[0].u.tensor));
      caller.tensors().release(caller.host, results[0].u.tensor);
    }
    return GRAPNEL_OK;
  });
  const auto fit = [&](int fails_in, const std::string& from) {
    Toy toy;
    toy.options.max_epochs = 3;
    toy.options.enable_checkpointing = true;
    int steps = 0;
    toy.module.during_step = [&](const std::string& step, Batch&) {
      if (step == "train" && ++steps == fails_in) throw std::runtime_error("failed");
    };
    auto keeper = std::make_shared<OnExceptionCheckpoint>(directory.path(), "failed");
    at::manual_seed(7);
    try {
      toy.fit({plugin.handle(), keeper}, {.ckpt_path = from});
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "failed");
    }
    return std::exchange(drawn, {});
  };
  const std::vector<Values> whole = fit(0, "");
  for (const int fails_in : {1, 2}) {
    INFO("fails in step " << fails_in);
    std::vector<Values> both = fit(fails_in, "");
    REQUIRE(both.size() == 2 * static_cast<std::size_t>(fails_in));
    both.resize(both.size() - 2);  // of the batch that is done again
    for (Values& values : fit(0, file)) both.push_back(std::move(values));
    CHECK(both == whole);
  }
}

TEST_CASE("tensors without memory are read as zeros, and those without data are refused") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    const auto& metrics = caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS);
    const auto& batches = caller.table<grapnel_batches>(GRAPNEL_EXT_BATCH);
    const grapnel_value dtype = enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_F32);
    Results zeros(1), meta(1);
    REQUIRE(caller.call("aten::_efficientzerotensor", "", {integers({1}), dtype}, zeros) ==
            GRAPNEL_OK);
    CHECK(caller.values(zeros[0].u.tensor) == Values{0});
    REQUIRE(caller.call("aten::empty", "memory_format",
                        {integers({1}), dtype, none(), device("meta")}, meta) == GRAPNEL_OK);
    CHECK(metrics.log_tensor(caller.host, text(std::string_view("m")), meta[0].u.tensor, nullptr) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(batches.replace(caller.host, event->batch, 0, meta[0].u.tensor) ==
          GRAPNEL_INVALID_ARGUMENT);
    for (const Results& each : {zeros, meta})
      caller.tensors().release(caller.host, each[0].u.tensor);
    const grapnel_operator* op = nullptr;
    CHECK(caller.aten().find(caller.host, text(std::string_view("prims::add")),
                             text(std::string_view()), &op) == GRAPNEL_NOT_FOUND);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
}

TEST_CASE("states of generators that are none are refused, and the training's stay") {
  InProcessPlugin plugin;
  const auto callback = plugin.make();
  const auto with = [](const std::string& device, const at::Tensor& state) {
    return StateDict{{"version", std::string("1.2.3")},
                     {"state", StateDict()},
                     {"generators", StateDict{{device, state}}}};
  };
  at::manual_seed(7);
  const at::Tensor before = at::rand({3});
  at::manual_seed(7);
  CHECK_THROWS_AS(callback->load_state_dict(with("cpu", at::zeros({3}, at::kByte))),
                  CheckpointError);
  CHECK_THROWS_WITH(callback->load_state_dict(with("cpu", at::zeros({3}))),
                    Catch::Contains("the generator of 'cpu'"));
  callback->load_state_dict(with("moon:0", at::zeros({3}, at::kByte)));  // kept for where it is
  CHECK(at::rand({3}).equal(before));
}

TEST_CASE("an enumeration that LibTorch takes as a plain integer is checked") {
  in_hook([](const Caller& caller) {
    CapturedLog log;
    std::vector<grapnel_value> made(1), result(1);
    REQUIRE(caller.call("aten::ones", "", {integers({1, 1, 2, 2})}, made) == GRAPNEL_OK);
    grapnel_tensor* image = made[0].u.tensor;
    REQUIRE(caller.call("aten::zeros", "", {integers({1, 2, 2, 2})}, made) == GRAPNEL_OK);
    grapnel_tensor* grid = made[0].u.tensor;
    for (const std::int64_t mode : {-1, 3, 99}) {
      CHECK(caller.call("aten::grid_sampler", "",
                        {value_of(image), value_of(grid), value_of(mode), value_of(std::int64_t{0}),
                         value_of(false)},
                        result) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::grid_sampler_2d", "",
                        {value_of(image), value_of(grid), value_of(std::int64_t{0}), value_of(mode),
                         value_of(false)},
                        result) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::l1_loss", "", {value_of(image), value_of(image), value_of(mode)},
                        result) == GRAPNEL_PENDING);
    }
    CHECK(caller.call("aten::grid_sampler", "",
                      {value_of(image), value_of(grid), value_of(std::int64_t{1}),
                       value_of(std::int64_t{2}), value_of(false)},
                      result) == GRAPNEL_OK);
    for (grapnel_tensor* tensor : {image, grid, result[0].u.tensor}) {
      caller.tensors().release(caller.host, tensor);
    }
  });
}

}  // namespace aten_test
