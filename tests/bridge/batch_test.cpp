// Extensions batch and outputs: what goes into a step and what comes out of it.
#include <grapnel/ext/batch.h>
#include <grapnel/ext/outputs.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace batch_test {

using namespace grapnel;
using namespace grapnel::test;
using Values = std::vector<double>;

namespace {

const grapnel_batches& batches(const Caller& caller) {
  return caller.table<grapnel_batches>(GRAPNEL_EXT_BATCH);
}
const grapnel_step_outputs& outputs_of(const Caller& caller) {
  return caller.table<grapnel_step_outputs>(GRAPNEL_EXT_OUTPUTS);
}

std::string name_of(const Caller& caller, const grapnel_outputs* outputs, std::uint64_t index) {
  grapnel_string name{};
  if (outputs_of(caller).name(caller.host, outputs, index, &name) != GRAPNEL_OK) return "?";
  return text(name);
}

}  // namespace

TEST_CASE("a batch has its tensors by number, with names and sample indices") {
  InProcessPlugin plugin;
  int hooks = 0;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    const grapnel_batches& table = batches(caller);
    std::uint64_t count = 0, indices_count = 0;
    const std::int64_t* indices = nullptr;
    grapnel_string name{};
    grapnel_tensor* x = nullptr;
    CHECK(table.count(caller.host, event->batch, &count) == GRAPNEL_OK);
    CHECK(count == 2);
    CHECK(table.name(caller.host, event->batch, 1, &name) == GRAPNEL_OK);
    CHECK(text(name) == "y");
    CHECK(table.name(caller.host, event->batch, 2, &name) == GRAPNEL_NOT_FOUND);
    CHECK(table.sample_indices(caller.host, event->batch, &indices, &indices_count) == GRAPNEL_OK);
    CHECK(indices_count == 2);
    CHECK(indices[1] == 2 * event->batch_idx + 1);
    REQUIRE(table.get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    CHECK(caller.describe(x).sizes[1] == 3);
    ++hooks;
    return caller.tensors().release(caller.host, x);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(hooks == 4);
}

TEST_CASE("a replaced tensor is what the step sees; the data set stays as it was") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    grapnel_tensor* x = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    std::vector<grapnel_value> twice(1);
    REQUIRE(caller.call("aten::mul", "Scalar", {value_of(x), value_of(2.0)}, twice) == GRAPNEL_OK);
    CHECK(batches(caller).replace(caller.host, event->batch, 0, twice[0].u.tensor) == GRAPNEL_OK);
    CHECK(batches(caller).replace(caller.host, event->batch, 7, twice[0].u.tensor) ==
          GRAPNEL_NOT_FOUND);
    caller.tensors().release(caller.host, twice[0].u.tensor);
    return caller.tensors().release(caller.host, x);
  });
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    grapnel_tensor* x = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    CHECK(batches(caller).replace(caller.host, event->batch, 0, x) == GRAPNEL_NOT_NOW);
    return caller.tensors().release(caller.host, x);
  });
  Toy toy;
  const at::Tensor before = toy.train->x.clone();
  at::Tensor seen;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage == "train" && !seen.defined()) seen = batch[0].clone();
  };
  toy.fit({plugin.handle()});
  CHECK(seen.equal(before.slice(0, 0, 2) * 2));
  CHECK(toy.train->x.equal(before));
}

TEST_CASE("a write to a batch's own tensors is refused, since they may be the data set's memory") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    grapnel_tensor *x = nullptr, *again = nullptr;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    REQUIRE(caller.tensors().retain(caller.host, x, &again) == GRAPNEL_OK);
    CHECK(caller.tensors().begin_write(caller.host, again, &data, &bytes) ==
          GRAPNEL_INVALID_ARGUMENT);
    std::vector<grapnel_value> results;
    const std::int32_t status =
        caller.call("aten::mul_", "Scalar", {value_of(again), value_of(2.0)}, results);
    caller.tensors().release(caller.host, again);
    caller.tensors().release(caller.host, x);
    return status;
  });
  Toy toy;
  const at::Tensor before = toy.train->x.clone();
  CHECK_THROWS_WITH(toy.fit({plugin.handle()}), Catch::Contains("aten::mul_.Scalar would write to "
                                                                "a tensor of a batch"));
  CHECK(toy.train->x.equal(before));
}

TEST_CASE("a write to a view or alias of a batch's tensor is refused, too") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    const grapnel_tensors& tensors = caller.tensors();
    grapnel_tensor* x = nullptr;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    const auto refused = [&](grapnel_tensor* alias) {
      std::vector<grapnel_value> none;
      CHECK(tensors.begin_write(caller.host, alias, &data, &bytes) == GRAPNEL_INVALID_ARGUMENT);
      CHECK(caller.call("aten::zero_", "", {value_of(alias)}, none) == GRAPNEL_PENDING);
    };
    const auto result_of = [&](const char* name, const char* overload,
                               const std::vector<grapnel_value>& arguments) {
      std::vector<grapnel_value> result(1);
      REQUIRE(caller.call(name, overload, arguments, result) == GRAPNEL_OK);
      return result[0];
    };
    const std::int64_t f32 = GRAPNEL_DTYPE_F32;
    std::vector<grapnel_tensor*> aliases = {
        result_of("aten::to", "dtype", {value_of(x), value_of(f32)}).u.tensor,  // the same one
        result_of("aten::detach", "", {value_of(x)}).u.tensor,
        result_of("aten::select", "int",
                  {value_of(x), value_of(std::int64_t{0}), value_of(std::int64_t{1})})
            .u.tensor};
    aliases.push_back(result_of("aten::t", "", {value_of(aliases[1])}).u.tensor);  // of a view
    const grapnel_value parts =
        result_of("aten::split", "Tensor", {value_of(x), value_of(std::int64_t{1})});
    for (std::uint64_t i = 0; i < parts.size; ++i) aliases.push_back(parts.u.tensors[i]);
    for (grapnel_tensor* alias : aliases) refused(alias);

    // One that was the plugin's own before it was made an alias.
    grapnel_tensor* own = caller.floats({1});
    std::vector<grapnel_value> none;
    REQUIRE(caller.call("aten::set_", "source_Tensor", {value_of(own), value_of(x)}, none) ==
            GRAPNEL_OK);
    refused(own);

    // A copy is the plugin's own.
    grapnel_tensor* copy = result_of("aten::clone", "", {value_of(aliases[0])}).u.tensor;
    CHECK(caller.call("aten::zero_", "", {value_of(copy)}, none) == GRAPNEL_OK);
    for (grapnel_tensor* made : aliases) tensors.release(caller.host, made);
    for (grapnel_tensor* made : {own, copy, x}) tensors.release(caller.host, made);
    return GRAPNEL_OK;
  });
  Toy toy;
  const at::Tensor before = toy.train->x.clone();
  toy.fit({plugin.handle()});
  CHECK(toy.train->x.equal(before));
}

TEST_CASE("a batch's tensor can't be put in the place of weights, which training writes to") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    grapnel_tensor* x = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    std::vector<grapnel_value> row(1);
    REQUIRE(caller.call("aten::select", "int",
                        {value_of(x), value_of(std::int64_t{0}), value_of(std::int64_t{0})},
                        row) == GRAPNEL_OK);
    std::vector<grapnel_value> column(1);
    REQUIRE(caller.call("aten::unsqueeze", "",
                        {value_of(row[0].u.tensor), value_of(std::int64_t{1})},
                        column) == GRAPNEL_OK);
    const std::uint64_t weight = 0;
    grapnel_lease* lease = nullptr;
    CHECK(caller.module().lease_weights(caller.host, &weight, 1, nullptr, 0, &column[0].u.tensor,
                                        text(std::string_view("a test")),
                                        &lease) == GRAPNEL_INVALID_ARGUMENT);
    for (grapnel_tensor* made : {x, row[0].u.tensor, column[0].u.tensor}) {
      caller.tensors().release(caller.host, made);
    }
    return GRAPNEL_OK;
  });
  CapturedLog log;
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(log.count("the tensor for 'weight' belongs to a batch") == 1);
}

TEST_CASE("a batch is valid only in the hook that it came with") {
  InProcessPlugin plugin;
  grapnel_batch* kept = nullptr;
  plugin.on(Hook::on_train_batch_start, [&](const Caller&, const grapnel_Event* raw) {
    kept = reinterpret_cast<const grapnel_TrainBatchStart*>(raw)->batch;
    return GRAPNEL_OK;
  });
  int tried = 0;
  plugin.on(Hook::on_after_backward, [&](const Caller& caller, const grapnel_Event*) {
    std::uint64_t count = 0;
    CHECK(batches(caller).count(caller.host, kept, &count) == GRAPNEL_INVALID_ARGUMENT);
    ++tried;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(tried == 4);
}

TEST_CASE("the outputs of a step have its loss as a number and a tensor, and its extras") {
  InProcessPlugin plugin;
  Values losses;
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    grapnel_outputs* outputs = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw)->outputs;
    const grapnel_step_outputs& table = outputs_of(caller);
    double loss = 0, same = 0;
    std::uint64_t count = 0;
    grapnel_tensor *tensor = nullptr, *prediction = nullptr;
    CHECK(table.loss(caller.host, outputs, &loss) == GRAPNEL_OK);
    CHECK(table.loss_tensor(caller.host, outputs, &tensor) == GRAPNEL_OK);
    CHECK(caller.tensors().to_f64(caller.host, tensor, &same) == GRAPNEL_OK);
    CHECK(loss == same);
    CHECK(table.count(caller.host, outputs, &count) == GRAPNEL_OK);
    CHECK(count == 1);
    CHECK(name_of(caller, outputs, 0) == "prediction");
    CHECK(table.get(caller.host, outputs, 0, &prediction) == GRAPNEL_OK);
    CHECK(caller.values(prediction).size() == 2);
    CHECK(table.get(caller.host, outputs, 1, &tensor) == GRAPNEL_NOT_FOUND);
    caller.tensors().release(caller.host, prediction);
    losses.push_back(loss);
    return caller.tensors().release(caller.host, tensor);
  });
  Toy toy;
  toy.options.accumulate_grad_batches = 2;
  toy.fit({plugin.handle()});
  REQUIRE(losses.size() == 4);

  // Divided by the accumulation, as the training sees it.
  double first = 0;
  InProcessPlugin whole;
  whole.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    if (event->batch_idx != 0) return GRAPNEL_OK;
    return outputs_of(caller).loss(caller.host, event->outputs, &first);
  });
  Toy plain;
  plain.fit({whole.handle()});
  CHECK(losses[0] == Approx(first / 2));
}

TEST_CASE("a prediction's tensors have the names of its tree") {
  InProcessPlugin plugin;
  int batches_seen = 0;
  plugin.on(Hook::on_predict_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    grapnel_outputs* outputs = reinterpret_cast<const grapnel_EvalBatchEnd*>(raw)->outputs;
    double loss = 0;
    CHECK(outputs_of(caller).loss(caller.host, outputs, &loss) == GRAPNEL_NOT_FOUND);
    CHECK(name_of(caller, outputs, 0) == "output");
    CHECK(name_of(caller, outputs, 1) == "input");
    grapnel_tensor* input = nullptr;
    REQUIRE(outputs_of(caller).get(caller.host, outputs, 1, &input) == GRAPNEL_OK);
    CHECK(caller.values(input).size() == 6);
    void* data = nullptr;  // it is the batch itself, behind which the data set stands
    std::uint64_t bytes = 0;
    CHECK(caller.tensors().begin_write(caller.host, input, &data, &bytes) ==
          GRAPNEL_INVALID_ARGUMENT);
    ++batches_seen;
    return caller.tensors().release(caller.host, input);
  });
  Toy toy;
  toy.predict({plugin.handle()});
  CHECK(batches_seen == 2);
}

}  // namespace batch_test
