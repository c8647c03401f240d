// Extension module: leases of weights and freezes, which end whatever happens.
#include <grapnel/ext/module.h>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <cstddef>
#include <stdexcept>

#include <grapnel/checkpoint.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace lease_test {

using namespace grapnel;
using namespace grapnel::test;
using Values = std::vector<double>;

namespace {

// Puts the number into every element of the weight, by a lease.
std::int32_t lease_number(const Caller& caller, float number, grapnel_lease** lease) {
  const std::int64_t sizes[] = {3, 1};
  const float elements[] = {number, number, number};
  grapnel_tensor* tensor = nullptr;
  std::int32_t status = caller.tensors().from_data(caller.host, GRAPNEL_DTYPE_F32, sizes, 2,
                                                   elements, sizeof elements, &tensor);
  if (status != GRAPNEL_OK) return status;
  const std::uint64_t index = 0;
  status = caller.module().lease_weights(caller.host, &index, 1, nullptr, 0, &tensor,
                                         text(std::string_view("a number")), lease);
  caller.tensors().release(caller.host, tensor);
  return status;
}

// Swaps the weights for each validation, as an average does.
struct Swapper {
  InProcessPlugin plugin;
  grapnel_lease* lease = nullptr;
  std::int32_t ended = GRAPNEL_ERROR;

  Swapper() {
    plugin.on(Hook::on_validation_start, [this](const Caller& caller, const grapnel_Event*) {
      return lease_number(caller, 7, &lease);
    });
    plugin.on(Hook::on_validation_end, [this](const Caller& caller, const grapnel_Event*) {
      ended = caller.module().end_lease(caller.host, lease);
      return ended;
    });
  }
};

}  // namespace

TEST_CASE("validation runs on leased weights and training continues with its own") {
  Swapper swapper;
  Toy toy;
  std::vector<Values> seen;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage == "validate") seen.push_back(Values(1, toy.module.weight[0].item<double>()));
  };
  toy.fit({swapper.plugin.handle()});
  CHECK(seen == std::vector<Values>{{7}, {7}});
  CHECK(swapper.ended == GRAPNEL_OK);
  CHECK(toy.module.weight[0].item<double>() < 1);
  CHECK(toy.module.weight.requires_grad());

  Toy alone;  // the same training without a lease ends with the same bits
  alone.fit({});
  CHECK(alone.module.weight.equal(toy.module.weight));
}

TEST_CASE("an exception in a validation step undoes the swap before on_exception") {
  Swapper swapper;
  Toy toy;
  double in_on_exception = 0;
  swapper.plugin.on(Hook::on_exception, [&](const Caller& caller, const grapnel_Event*) {
    in_on_exception = caller.values(caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor)[0];
    // The plugin's own end comes late, and does no harm.
    CHECK(caller.module().end_lease(caller.host, swapper.lease) == GRAPNEL_NOT_FOUND);
    return GRAPNEL_OK;
  });
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage == "validate") throw std::runtime_error("the data is bad");
  };
  CHECK_THROWS_WITH(toy.fit({swapper.plugin.handle()}), Catch::Contains("the data is bad"));
  CHECK(swapper.ended == GRAPNEL_ERROR);  // on_validation_end never came
  CHECK(in_on_exception != 7);

  Toy alone;
  alone.options.limit_val_batches = 0;
  alone.fit({});
  CHECK(alone.module.weight.equal(toy.module.weight));
}

TEST_CASE(
    "a checkpoint written during a lease has the training weights and, separately, the leased "
    "ones") {
  TempDir directory;
  Swapper swapper;
  Toy toy;
  toy.options.default_root_dir = directory.path();
  at::Tensor training;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage != "validate" || training.defined()) return;
    toy.trainer->save_checkpoint(directory / "leased.ckpt");
  };
  swapper.plugin.on(Hook::on_validation_epoch_start,
                    [&](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  toy.fit({swapper.plugin.handle()});
  const StateDict checkpoint = load_checkpoint_file(directory / "leased.ckpt");
  const at::Tensor& weight = checkpoint.at("state_dict").to_dict().at("weight").to_tensor();
  CHECK(weight.equal(toy.module.weight.detach()));
  const at::Tensor& leased = checkpoint.at("leased_state_dict").to_dict().at("weight").to_tensor();
  CHECK((leased == 7).all().item<bool>());
}

TEST_CASE("the last of several leases of an entry counts, and they can end in any order") {
  Swapper swapper;
  Toy toy;
  std::vector<double> seen;
  swapper.plugin.on(
      Hook::on_validation_epoch_start, [&](const Caller& caller, const grapnel_Event*) {
        const auto look = [&] {
          seen.push_back(caller.values(caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor)[0]);
        };
        grapnel_lease *second = nullptr, *third = nullptr;
        look();
        CHECK(lease_number(caller, 8, &second) == GRAPNEL_OK);
        look();
        CHECK(lease_number(caller, 9, &third) == GRAPNEL_OK);
        CHECK(caller.module().end_lease(caller.host, second) == GRAPNEL_OK);
        look();
        CHECK(caller.module().end_lease(caller.host, third) == GRAPNEL_OK);
        look();
        return GRAPNEL_OK;
      });
  toy.fit({swapper.plugin.handle()});
  CHECK(swapper.ended == GRAPNEL_OK);
  CHECK(seen == std::vector<double>{7, 8, 9, 7});
  Toy alone;
  alone.options.limit_val_batches = 0;
  alone.fit({});
  CHECK(alone.module.weight.equal(toy.module.weight));
}

TEST_CASE("a lease that has ended is known until the end, but takes no memory") {
  InProcessPlugin plugin;
  std::size_t before = 0, after = 0;
  const auto bytes_in_use = [] {
#if defined(__GLIBC__)
    return std::size_t{mallinfo2().uordblks};
#else
    return std::size_t{0};
#endif
  };
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_lease* first = nullptr;
    CHECK(lease_number(caller, 7, &first) == GRAPNEL_OK);
    CHECK(caller.module().end_lease(caller.host, first) == GRAPNEL_OK);
    grapnel_lease* lease = nullptr;
    grapnel_tensor* tensor = caller.floats({8});
    const std::uint64_t bias = 1;
    const auto lease_often = [&](int times) {
      for (int i = 0; i < times; ++i) {
        if (caller.module().lease_weights(caller.host, &bias, 1, nullptr, 0, &tensor,
                                          text(std::string_view("again")), &lease) != GRAPNEL_OK) {
          return false;
        }
        if (caller.module().end_lease(caller.host, lease) != GRAPNEL_OK) return false;
      }
      return true;
    };
    REQUIRE(lease_often(200));
    before = bytes_in_use();
    REQUIRE(lease_often(4000));
    after = bytes_in_use();
    CHECK(caller.module().end_lease(caller.host, first) == GRAPNEL_NOT_FOUND);
    CHECK(caller.module().end_lease(caller.host, lease) == GRAPNEL_NOT_FOUND);
    CHECK(caller.module().end_lease(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    std::byte elsewhere{};
    CHECK(caller.module().end_lease(caller.host, reinterpret_cast<grapnel_lease*>(&elsewhere)) ==
          GRAPNEL_INVALID_ARGUMENT);
    return caller.tensors().release(caller.host, tensor);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(after < before + 20'000);
}

TEST_CASE("a leased tensor must have the shape and dtype of its entry") {
  CapturedLog log;
  Swapper swapper;
  Toy toy;
  swapper.plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* wrong = caller.floats({1, 2});
    grapnel_tensor* const twice[] = {wrong, wrong};
    const std::uint64_t indices[] = {0, 0};
    grapnel_lease* lease = nullptr;
    const grapnel_string reason = text(std::string_view("wrong"));
    CHECK(caller.module().lease_weights(caller.host, indices, 1, nullptr, 0, &wrong, reason,
                                        &lease) == GRAPNEL_INVALID_ARGUMENT);
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    CHECK(caller.module().lease_weights(caller.host, indices, 1, nullptr, 0, &weight, reason,
                                        &lease) == GRAPNEL_INVALID_ARGUMENT);
    std::vector<grapnel_value> copy(1);
    REQUIRE(caller.call("aten::clone", "", {value_of(weight)}, copy) == GRAPNEL_OK);
    grapnel_tensor* const weights[] = {copy[0].u.tensor, copy[0].u.tensor};
    CHECK(caller.module().lease_weights(caller.host, indices, 2, nullptr, 0, weights, reason,
                                        &lease) == GRAPNEL_INVALID_ARGUMENT);
    caller.tensors().release(caller.host, copy[0].u.tensor);
    CHECK(caller.module().lease_weights(caller.host, nullptr, 1, nullptr, 0, twice, reason,
                                        &lease) == GRAPNEL_INVALID_ARGUMENT);
    // Not even with what the model trains while another lease is in its place.
    std::vector<grapnel_value> alias(1);
    REQUIRE(caller.call("aten::detach", "", {value_of(weight)}, alias) == GRAPNEL_OK);
    grapnel_lease* first = nullptr;
    REQUIRE(lease_number(caller, 7, &first) == GRAPNEL_OK);
    CHECK(caller.module().lease_weights(caller.host, indices, 1, nullptr, 0, &alias[0].u.tensor,
                                        reason, &lease) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(caller.module().end_lease(caller.host, first) == GRAPNEL_OK);
    caller.tensors().release(caller.host, alias[0].u.tensor);
    CHECK(lease == nullptr);
    return caller.tensors().release(caller.host, wrong);
  });
  toy.fit({swapper.plugin.handle()});
  CHECK(log.count("the tensor for 'weight' has the shape [2] and the type Float") == 1);
  CHECK(log.count("the tensor for 'weight' shares memory with the model") == 1);
  CHECK(log.count("'weight' is named twice") == 1);
}

TEST_CASE("a frozen parameter is not trained while a lease holds, whoever took it") {
  constexpr std::uint64_t kWeight = 0;
  struct Freezer {
    InProcessPlugin plugin;
    grapnel_lease* lease = nullptr;
    Freezer(const std::string& id, Hook end) : plugin("{}", "1.0.0", id) {
      plugin.on(Hook::on_train_start, [this](const Caller& caller, const grapnel_Event*) {
        const std::uint64_t twice[] = {kWeight, kWeight};
        return caller.module().freeze(caller.host, twice, 2, text(std::string_view("a test")),
                                      &lease);
      });
      plugin.on(end, [this](const Caller& caller, const grapnel_Event*) {
        if (lease == nullptr) return GRAPNEL_OK;
        CHECK(caller.entry(GRAPNEL_MODULE_PARAMETERS, kWeight).trainable == 0);
        return caller.module().end_lease(caller.host, std::exchange(lease, nullptr));
      });
    }
  };
  Freezer one("one", Hook::on_train_batch_end), two("two", Hook::on_train_epoch_end);
  InProcessPlugin watcher("{}", "1.0.0", "watcher");
  Toy toy;
  toy.options.max_epochs = 2;
  const at::Tensor weight = toy.module.weight.detach().clone();
  const at::Tensor bias = toy.module.bias.detach().clone();
  bool same_weight = true;
  watcher.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    if (caller.trainer_state().current_epoch == 0) {
      same_weight = same_weight && toy.module.weight.equal(weight);
    }
    return GRAPNEL_OK;
  });
  toy.fit({one.plugin.handle(), two.plugin.handle(), watcher.handle()});
  CHECK(same_weight);
  CHECK_FALSE(toy.module.bias.equal(bias));
  CHECK(toy.module.weight.requires_grad());
  CHECK_FALSE(toy.module.weight.equal(weight));  // it trained in the second epoch
}

TEST_CASE("a leased tensor has memory of its own for each element") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    std::vector<grapnel_value> made(1);
    const std::int64_t shape[] = {3, 1};
    grapnel_value list{GRAPNEL_VALUE_I64_LIST, 0, 2, {nullptr}};
    list.u.i64s = shape;
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    grapnel_tensor* one = caller.floats({1});
    const struct {
      const char* name;
      std::vector<grapnel_value> arguments;
    } cases[] = {
        {"aten::expand", {value_of(one), list}},
        {"aten::_efficientzerotensor", {list, enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_F32)}},
        {"aten::_neg_view", {value_of(weight)}},
        {"aten::empty",
         {list, enumerated(GRAPNEL_VALUE_DTYPE, GRAPNEL_DTYPE_F32), none(), device("meta")}},
    };
    for (const auto& each : cases) {
      INFO(each.name);
      const bool has_overload = std::string_view(each.name) == "aten::empty";
      REQUIRE(caller.call(each.name, has_overload ? "memory_format" : "", each.arguments, made) ==
              GRAPNEL_OK);
      grapnel_lease* lease = nullptr;
      const std::uint64_t index = 0;
      CHECK(caller.module().lease_weights(caller.host, &index, 1, nullptr, 0, &made[0].u.tensor,
                                          text(std::string_view("a test")),
                                          &lease) == GRAPNEL_INVALID_ARGUMENT);
      CHECK(lease == nullptr);
      caller.tensors().release(caller.host, made[0].u.tensor);
    }
    return caller.tensors().release(caller.host, one);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(log.count("the tensor for 'weight' has elements that share memory") == 1);
  CHECK(log.count("the tensor for 'weight' has no data: it is on the meta device") == 1);
}

TEST_CASE("one instance can't end the lease of another") {
  grapnel_lease* lease = nullptr;
  InProcessPlugin one("{}", "1.0.0", "one"), two("{}", "1.0.0", "two");
  one.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    return lease_number(caller, 7, &lease);
  });
  two.on(Hook::on_train_epoch_start, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_lease* own = nullptr;
    REQUIRE(lease_number(caller, 8, &own) == GRAPNEL_OK);
    CHECK(own != lease);
    CHECK(caller.module().end_lease(caller.host, lease) == GRAPNEL_INVALID_ARGUMENT);
    return caller.module().end_lease(caller.host, own);
  });
  one.on(Hook::on_train_end, [&](const Caller& caller, const grapnel_Event*) {
    return caller.module().end_lease(caller.host, lease);
  });
  Toy toy;
  toy.fit({one.handle(), two.handle()});
}

TEST_CASE("no lease begins between a forward pass and its step, in a checkpoint or after the run") {
  TempDir directory;
  InProcessPlugin plugin;
  int refused = 0;
  for (const Hook hook :
       {Hook::on_before_zero_grad, Hook::on_before_backward, Hook::on_after_backward,
        Hook::on_before_optimizer_step, Hook::on_save_checkpoint, Hook::on_run_end}) {
    plugin.on(hook, [&](const Caller& caller, const grapnel_Event*) {
      grapnel_lease* lease = nullptr;
      const std::uint64_t index = 0;
      CHECK(lease_number(caller, 7, &lease) == GRAPNEL_NOT_NOW);
      CHECK(caller.module().freeze(caller.host, &index, 1, text(std::string_view("a test")),
                                   &lease) == GRAPNEL_NOT_NOW);
      CHECK(lease == nullptr);
      ++refused;
      return GRAPNEL_OK;
    });
  }
  Toy toy;
  toy.options.limit_train_batches = 1;
  toy.fit({plugin.handle()});
  toy.trainer->save_checkpoint(directory / "a.ckpt");
  CHECK(refused == 6);
  CHECK(toy.module.weight.requires_grad());
}

}  // namespace lease_test
