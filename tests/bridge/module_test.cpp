// Extension module: parameters, buffers, gradients and masks. Leases are in lease_test.cpp.
#include <grapnel/ext/module.h>

#include <grapnel/checkpoint.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace module_test {

using namespace grapnel;
using namespace grapnel::test;
using Values = std::vector<double>;

namespace {

std::string name_of(const Caller& caller, std::int32_t kind, std::uint64_t index) {
  const grapnel_module_entry* entry = nullptr;
  const std::int32_t status = caller.module().entry(caller.host, kind, index, &entry);
  return status == GRAPNEL_NOT_FOUND ? "none" : text(entry->name);
}

}  // namespace

TEST_CASE("parameters and buffers have names, tensors and whether they are trained") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_fit_start, [](const Caller& caller, const grapnel_Event*) {
    std::uint64_t parameters = 0, buffers = 0;
    CHECK(caller.module().count(caller.host, GRAPNEL_MODULE_PARAMETERS, &parameters) == GRAPNEL_OK);
    CHECK(caller.module().count(caller.host, GRAPNEL_MODULE_BUFFERS, &buffers) == GRAPNEL_OK);
    CHECK(parameters == 2);
    CHECK(buffers == 1);
    CHECK(name_of(caller, GRAPNEL_MODULE_PARAMETERS, 0) == "weight");
    CHECK(name_of(caller, GRAPNEL_MODULE_PARAMETERS, 1) == "bias");
    CHECK(name_of(caller, GRAPNEL_MODULE_BUFFERS, 0) == "seen");
    CHECK(name_of(caller, GRAPNEL_MODULE_BUFFERS, 1) == "none");
    CHECK(caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).trainable == 1);
    CHECK(caller.entry(GRAPNEL_MODULE_PARAMETERS, 1).trainable == 0);
    CHECK(caller.entry(GRAPNEL_MODULE_BUFFERS, 0).trainable == 0);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.module.bias.set_requires_grad(false);
  toy.fit({plugin.handle()});
}

TEST_CASE("a gradient is there after backward, not before") {
  InProcessPlugin plugin;
  double norm = 0;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* grad = nullptr;
    CHECK(caller.module().grad(caller.host, 0, &grad) == GRAPNEL_NOT_FOUND);
    CHECK(caller.module().grad(caller.host, 9, &grad) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_after_backward, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* grad = nullptr;
    REQUIRE(caller.module().grad(caller.host, 0, &grad) == GRAPNEL_OK);
    for (const double value : caller.values(grad)) norm += value * value;
    // What the gradient is stays the model's: its elements are the plugin's to write.
    std::vector<grapnel_value> none_wanted;
    grapnel_tensor* other = caller.floats({1});
    caller.call("aten::set_", "source_Tensor", {value_of(grad), value_of(other)}, none_wanted);
    caller.call("aten::t_", "", {value_of(grad)}, none_wanted);
    caller.call("aten::resize_", "", {value_of(grad), value_of(std::int64_t{1})}, none_wanted);
    caller.tensors().release(caller.host, other);
    return caller.tensors().release(caller.host, grad);
  });
  Toy toy;
  toy.options.limit_train_batches = 1;
  toy.options.limit_val_batches = 0;  // a validation drops the gradients
  toy.fit({plugin.handle()});
  const at::Tensor& gradient = toy.module.weight.grad();
  CHECK(gradient.sizes() == toy.module.weight.sizes());
  CHECK(norm == Approx(gradient.pow(2).sum().item<double>()));
}

TEST_CASE("the module's generation grows only when entries are renamed or change shape") {
  InProcessPlugin plugin;
  Toy toy;
  std::vector<std::uint64_t> generations;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    std::uint64_t generation = 0;
    CHECK(caller.module().generation(caller.host, &generation) == GRAPNEL_OK);
    generations.push_back(generation);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto batch = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw)->batch_idx;
    if (batch == 1) toy.module.state_view().rename("seen", "batches_seen");
    if (batch == 2) toy.module.seen.resize_({2});
    if (batch == 1) CHECK(name_of(caller, GRAPNEL_MODULE_BUFFERS, 0) == "batches_seen");
    return GRAPNEL_OK;
  });
  toy.fit({plugin.handle()});
  REQUIRE(generations.size() == 4);
  CHECK(generations[0] == generations[1]);
  CHECK(generations[2] > generations[1]);
  CHECK(generations[3] > generations[2]);
}

TEST_CASE("a pruned parameter keeps its name and gets a mask, which is read only") {
  InProcessPlugin plugin;
  Toy toy;
  std::vector<std::uint64_t> generations;
  std::vector<Values> masks;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    std::uint64_t generation = 0;
    CHECK(caller.module().generation(caller.host, &generation) == GRAPNEL_OK);
    generations.push_back(generation);
    const grapnel_module_entry& entry = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0);
    CHECK(text(entry.name) == "weight");
    masks.push_back(entry.mask == nullptr ? Values{} : caller.values(entry.mask));
    void* data = nullptr;
    std::uint64_t bytes = 0;
    if (entry.mask != nullptr) {
      CHECK(caller.tensors().begin_write(caller.host, entry.mask, &data, &bytes) ==
            GRAPNEL_INVALID_ARGUMENT);
    }
    CHECK(caller.entry(GRAPNEL_MODULE_PARAMETERS, 1).mask == nullptr);
    CHECK(caller.entry(GRAPNEL_MODULE_BUFFERS, 0).mask == nullptr);
    CHECK(name_of(caller, GRAPNEL_MODULE_BUFFERS, 1) == "none");
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event* raw) {
    const auto batch = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw)->batch_idx;
    StateView& view = toy.module.state_view();
    if (batch == 0) view.set_mask("weight", at::tensor({1.f, 0.f, 1.f}).view({3, 1}));
    if (batch == 1) view.find("weight")->mask.zero_();
    if (batch == 2) view.set_mask("weight", {});
    return GRAPNEL_OK;
  });
  toy.fit({plugin.handle()});
  CHECK(masks == std::vector<Values>{{}, {1, 0, 1}, {0, 0, 0}, {}});
  REQUIRE(generations.size() == 4);
  CHECK(generations[1] > generations[0]);
  CHECK(generations[2] == generations[1]);
  CHECK(generations[3] > generations[2]);
}

TEST_CASE("a module's FLOPs are given if it knows them, else NOT_FOUND") {
  Toy toy;
  double flops = 0;
  std::int32_t status = GRAPNEL_ERROR;
  const auto ask = [&] {
    InProcessPlugin plugin;
    plugin.on(Hook::on_fit_start, [&](const Caller& caller, const grapnel_Event*) {
      status = caller.module().flops_per_batch(caller.host, &flops);
      return GRAPNEL_OK;
    });
    toy.fit({plugin.handle()});
    toy.trainer.reset();
  };
  ask();
  CHECK(status == GRAPNEL_NOT_FOUND);
  toy.module.flops = 1e9;
  ask();
  CHECK(status == GRAPNEL_OK);
  CHECK(flops == 1e9);
}

TEST_CASE("the module service answers NOT_NOW while the trainer is made, and in create and init") {
  InProcessPlugin plugin;
  const auto ask = [](const Caller& caller) {
    std::uint64_t count = 0;
    CHECK(caller.module().count(caller.host, GRAPNEL_MODULE_PARAMETERS, &count) == GRAPNEL_NOT_NOW);
    const grapnel_module_entry* entry = nullptr;
    CHECK(caller.module().entry(caller.host, GRAPNEL_MODULE_PARAMETERS, 0, &entry) ==
          GRAPNEL_NOT_NOW);
    CHECK(entry == nullptr);
    return GRAPNEL_OK;
  };
  plugin.create = ask;
  plugin.init = ask;
  int hooks = 0;
  plugin.on(Hook::on_init_end, [&](const Caller& caller, const grapnel_Event*) {
    ++hooks;
    return ask(caller);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(hooks == 1);
}

}  // namespace module_test
