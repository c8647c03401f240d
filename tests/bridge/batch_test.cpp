// Extensions batch and outputs: what goes into a step and what comes out of it.
#include <grapnel/ext/batch.h>
#include <grapnel/ext/outputs.h>
#include <algorithm>
#include <cstring>
#include <utility>

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

// Writes zeros to a batch's first tensor in every way there is.
std::int32_t write_in_every_way(const Caller& caller, const grapnel_Event* raw) {
  const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
  const grapnel_tensors& tensors = caller.tensors();
  std::vector<grapnel_tensor*> made;
  const auto fresh = [&] {
    grapnel_tensor* x = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    made.push_back(x);
    return x;
  };
  const auto zero = [&](grapnel_tensor* tensor) {
    std::vector<grapnel_value> none_wanted;
    CHECK(caller.call("aten::zero_", "", {value_of(tensor)}, none_wanted) == GRAPNEL_OK);
  };
  const auto result_of = [&](const char* name, const char* overload,
                             const std::vector<grapnel_value>& arguments) {
    std::vector<grapnel_value> result(1);
    REQUIRE(caller.call(name, overload, arguments, result) == GRAPNEL_OK);
    made.push_back(result[0].u.tensor);
    return result[0].u.tensor;
  };
  zero(fresh());
  // Through a second handle, a view, and a tensor of its own that is made an alias.
  grapnel_tensor* again = nullptr;
  REQUIRE(tensors.retain(caller.host, fresh(), &again) == GRAPNEL_OK);
  made.push_back(again);
  zero(again);
  zero(result_of("aten::select", "int",
                 {value_of(fresh()), value_of(std::int64_t{0}), value_of(std::int64_t{1})}));
  zero(result_of("aten::t", "", {value_of(fresh())}));
  grapnel_tensor* own = caller.floats({1});
  made.push_back(own);
  grapnel_tensor* x = fresh();
  std::vector<grapnel_value> none_wanted;
  REQUIRE(caller.call("aten::set_", "source_Tensor", {value_of(own), value_of(x)}, none_wanted) ==
          GRAPNEL_OK);
  grapnel_tensor* kept = nullptr;
  REQUIRE(tensors.retain(caller.host, own, &kept) == GRAPNEL_OK);
  made.push_back(kept);
  zero(kept);
  // By the elements' address.
  void* data = nullptr;
  std::uint64_t bytes = 0;
  x = fresh();
  REQUIRE(tensors.begin_write(caller.host, x, &data, &bytes) == GRAPNEL_OK);
  std::memset(data, 0, bytes);
  REQUIRE(tensors.end_write(caller.host, x) == GRAPNEL_OK);
  // By an operator that writes without saying so in its schema.
  grapnel_tensor* mean =
      result_of("aten::select", "int",
                {value_of(fresh()), value_of(std::int64_t{0}), value_of(std::int64_t{0})});
  std::vector<grapnel_value> norm(1);
  CHECK(caller.call("aten::native_batch_norm", "",
                    {value_of(fresh()), none(), none(), value_of(mean), value_of(mean),
                     value_of(true), value_of(0.5), value_of(1e-5)},
                    norm) == GRAPNEL_OK);
  made.push_back(norm[0].u.tensor);
  for (grapnel_tensor* tensor : made) tensors.release(caller.host, tensor);
  return GRAPNEL_OK;
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

TEST_CASE("a batch tells what a tensor is, without its elements and only in its hook") {
  InProcessPlugin plugin;
  grapnel_batch* of_before = nullptr;
  int hooks = 0;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    const grapnel_batches& table = batches(caller);
    const grapnel_tensor_info* info = nullptr;
    REQUIRE(table.describe(caller.host, event->batch, 0, &info) == GRAPNEL_OK);
    CHECK(info->struct_size == sizeof(grapnel_tensor_info));
    CHECK(info->dtype == GRAPNEL_DTYPE_F32);
    CHECK(info->device_type == GRAPNEL_DEVICE_CPU);
    REQUIRE(info->ndim == 2);
    CHECK(info->sizes[0] == 2);
    CHECK(info->sizes[1] == 3);
    CHECK(info->numel == 6);
    CHECK(info->data == nullptr);
    CHECK(table.describe(caller.host, event->batch, 2, &info) == GRAPNEL_NOT_FOUND);
    CHECK(table.describe(caller.host, event->batch, 0, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(table.describe(caller.host, nullptr, 0, &info) == GRAPNEL_INVALID_ARGUMENT);
    if (of_before != nullptr) {
      CHECK(table.describe(caller.host, of_before, 0, &info) == GRAPNEL_INVALID_ARGUMENT);
    }
    of_before = event->batch;
    ++hooks;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(hooks == 4);
}

TEST_CASE("what a batch told of a tensor stays readable after the tensor is replaced") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    const grapnel_batches& table = batches(caller);
    grapnel_tensor* x = nullptr;
    REQUIRE(table.get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    const grapnel_tensor_info* info = nullptr;
    // The first replacement makes the batch the only owner of its tensor.
    REQUIRE(table.replace(caller.host, event->batch, 0, x) == GRAPNEL_OK);
    REQUIRE(table.describe(caller.host, event->batch, 0, &info) == GRAPNEL_OK);
    REQUIRE(table.replace(caller.host, event->batch, 0, x) == GRAPNEL_OK);
    std::vector<grapnel_tensor*> others;  // in the memory that became free
    for (int i = 0; i < 64; ++i) others.push_back(caller.floats({9, 9, 9, 9, 9}));
    CHECK(info->sizes[0] == 2);
    CHECK(info->sizes[1] == 3);
    CHECK(info->strides[0] == 3);
    for (grapnel_tensor* each : others) caller.tensors().release(caller.host, each);
    caller.tensors().release(caller.host, x);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
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

TEST_CASE("whatever a plugin writes to a batch's tensor stays with the plugin") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, write_in_every_way);
  Toy toy;
  const at::Tensor before = toy.train->x.clone();
  std::vector<at::Tensor> seen;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage == "train") seen.push_back(batch[0].clone());
  };
  toy.fit({plugin.handle()});
  CHECK(toy.train->x.equal(before));
  REQUIRE_FALSE(seen.empty());
  CHECK(seen[0].equal(before.slice(0, 0, seen[0].size(0))));
}

TEST_CASE("a large batch is copied when one side writes, and the data set stays whole") {
  // Its batches are the data set itself.
  struct WholeLoader final : ToyLoader {
    using ToyLoader::ToyLoader;
    std::optional<std::int64_t> size() const override { return 1; }
    void start(std::int64_t epoch) override {
      ToyLoader::start(epoch);
      is_done = false;
    }
    std::optional<Batch> next() override {
      if (std::exchange(is_done, true)) return {};
      return Batch({x, y}, {"x", "y"});
    }
    bool is_done = false;
  };
  Toy toy;
  const auto train = std::make_shared<WholeLoader>(20'000);
  const auto val = std::make_shared<WholeLoader>(20'000);
  InProcessPlugin plugin;
  int lazy = 0;
  const auto write = [&lazy](const std::shared_ptr<WholeLoader>& data) {
    return [&lazy, data](const Caller& caller, const grapnel_Event* raw) {
      grapnel_tensor* x = nullptr;
      const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
      REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
      lazy += caller.describe(x).data == data->x.const_data_ptr() ? 1 : 0;
      caller.tensors().release(caller.host, x);
      return write_in_every_way(caller, raw);
    };
  };
  plugin.on(Hook::on_train_batch_start, write(train));
  plugin.on(Hook::on_validation_batch_start, write(val));
  int whole = 0;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    const auto& loader = stage == "train" ? train : val;
    whole += batch[0].equal(loader->x) && batch[0].abs().sum().item<double>() > 0 ? 1 : 0;
  };
  toy.options.max_epochs = 2;
  Trainer trainer(toy.options, {plugin.handle()});
  trainer.fit(toy.module, Data(train, DataLoaders{val}));
  CHECK(lazy == 4);  // nothing was copied before it was written to
  CHECK(whole == 4);
}

TEST_CASE("what a plugin writes to a tensor after it gave it to the batch is not seen") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    grapnel_tensor* x = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &x) == GRAPNEL_OK);
    CHECK(batches(caller).replace(caller.host, event->batch, 0, x) == GRAPNEL_OK);
    std::vector<grapnel_value> none_wanted;
    CHECK(caller.call("aten::zero_", "", {value_of(x)}, none_wanted) == GRAPNEL_OK);
    return caller.tensors().release(caller.host, x);
  });
  Toy toy;
  double smallest = 1e9;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage == "train") smallest = std::min(smallest, batch[0].abs().sum().item<double>());
  };
  toy.fit({plugin.handle()});
  CHECK(smallest > 0);
}

TEST_CASE("a handle of an earlier hook is refused in a later one of the same kind") {
  InProcessPlugin plugin;
  grapnel_batch* kept = nullptr;
  int refused = 0;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* raw) {
    auto* batch = reinterpret_cast<const grapnel_TrainBatchStart*>(raw)->batch;
    std::uint64_t count = 0;
    if (kept != nullptr) {
      CHECK(kept != batch);
      refused += batches(caller).count(caller.host, kept, &count) == GRAPNEL_INVALID_ARGUMENT;
    }
    kept = batch;
    return batches(caller).count(caller.host, batch, &count);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(refused == 3);
}

TEST_CASE("a pointer that no service gave is refused without being read") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event*) {
    const grapnel_tensor_info* info = nullptr;
    std::uint64_t count = 0;
    for (const std::uintptr_t address : {std::uintptr_t{8}, std::uintptr_t{0xdeadbeef},
                                         ~std::uintptr_t{0}, ~std::uintptr_t{0} / 2}) {
      CHECK(caller.tensors().describe(caller.host, reinterpret_cast<grapnel_tensor*>(address),
                                      &info) == GRAPNEL_INVALID_ARGUMENT);
      CHECK(batches(caller).count(caller.host, reinterpret_cast<grapnel_batch*>(address), &count) ==
            GRAPNEL_INVALID_ARGUMENT);
    }
    // The middle of a handle is none.
    grapnel_tensor* x = caller.floats({1});
    CHECK(caller.tensors().describe(
              caller.host,
              reinterpret_cast<grapnel_tensor*>(reinterpret_cast<std::uintptr_t>(x) + 1),
              &info) == GRAPNEL_INVALID_ARGUMENT);
    return caller.tensors().release(caller.host, x);
  });
  Toy toy;
  toy.fit({plugin.handle()});
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
    std::vector<grapnel_value> none_wanted;  // it is the batch, behind which the data set stands
    CHECK(caller.call("aten::zero_", "", {value_of(input)}, none_wanted) == GRAPNEL_OK);
    ++batches_seen;
    return caller.tensors().release(caller.host, input);
  });
  Toy toy;
  toy.predict({plugin.handle()});
  CHECK(batches_seen == 2);
}

TEST_CASE("who replaced a tensor of the batch is named when the step fails") {
  struct Case {
    Hook hook;
    bool is_training;
    std::vector<float> values;
    const char* told;
  };
  const Case cases[] = {
      {Hook::on_train_batch_start,
       true,
       {1, 2, 3, 4, 5},
       "on_train_batch_start replaced 'x' (Float [2, 3] by Float [5]) of the batch"},
      {Hook::on_validation_batch_start,
       false,
       {1, 2},
       "on_validation_batch_start replaced 'x' (Float [2, 3] by Float [2]) of the batch"}};
  for (const Case& each : cases) {
    CapturedLog log;
    InProcessPlugin plugin;
    plugin.on(each.hook, [&](const Caller& caller, const grapnel_Event* raw) {
      grapnel_tensor* other = caller.floats(each.values);
      grapnel_batch* batch = each.is_training
                                 ? reinterpret_cast<const grapnel_TrainBatchStart*>(raw)->batch
                                 : reinterpret_cast<const grapnel_EvalBatchStart*>(raw)->batch;
      CHECK(batches(caller).replace(caller.host, batch, 0, other) == GRAPNEL_OK);
      return caller.tensors().release(caller.host, other);
    });
    ToyModule module;
    Trainer trainer(quiet(1), {plugin.handle()});
    CHECK_THROWS(trainer.fit(module, toy_data(2, 1)));
    CHECK(log.count(std::string("[probe] ") + each.told) == 1);
  }
}

TEST_CASE("a batch that was replaced before is not blamed for a later failure") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    if (event->batch_idx > 0) return GRAPNEL_OK;
    grapnel_tensor* same = nullptr;
    REQUIRE(batches(caller).get(caller.host, event->batch, 0, &same) == GRAPNEL_OK);
    CHECK(batches(caller).replace(caller.host, event->batch, 0, same) == GRAPNEL_OK);
    return caller.tensors().release(caller.host, same);
  });
  Toy toy;
  toy.module.during_step = [](const std::string&, Batch& batch) {
    static int steps = 0;
    if (++steps == 2) batch.replace(0, at::ones({7}));
  };
  CHECK_THROWS(toy.fit({plugin.handle()}));
  CHECK(log.count("of the batch") == 0);
}

}  // namespace batch_test
