// Extension autograd: terms that a plugin adds to the loss change the gradients as they should.
#include <grapnel/ext/autograd.h>

#include <limits>
#include <string>
#include <vector>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace autograd_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Matchers::Contains;

namespace {

const grapnel_autograd& autograd(const Caller& caller) {
  return caller.table<grapnel_autograd>(GRAPNEL_EXT_AUTOGRAD);
}

grapnel_tensor* apply(const Caller& caller, const char* name, const char* overload,
                      const std::vector<grapnel_value>& arguments) {
  std::vector<grapnel_value> results(1);
  REQUIRE(caller.call(name, overload, arguments, results) == GRAPNEL_OK);
  return results[0].u.tensor;
}

std::int32_t add(const Caller& caller, const grapnel_tensor* term,
                 std::string_view name = "penalty") {
  return autograd(caller).add_term(caller.host, text(name), term);
}

// share * sum of weight^2, recorded.
grapnel_tensor* l2(const Caller& caller, double share) {
  grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
  CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
  grapnel_tensor* square = apply(caller, "aten::square", "", {value_of(weight)});
  grapnel_tensor* sum = apply(caller, "aten::sum", "", {value_of(square)});
  grapnel_tensor* term = apply(caller, "aten::mul", "Scalar", {value_of(sum), value_of(share)});
  CHECK(autograd(caller).end_recording(caller.host) == GRAPNEL_OK);
  for (grapnel_tensor* each : {square, sum}) caller.tensors().release(caller.host, each);
  return term;
}

// The weight's gradient of each backward pass, and the losses that hooks see.
struct Gradients final : Callback {
  void on_after_backward(Event& event) override {
    gradients.push_back(dynamic_cast<ToyModule&>(event.module).weight.grad().clone());
    weights.push_back(dynamic_cast<ToyModule&>(event.module).weight.detach().clone());
  }
  void on_train_batch_end(TrainBatchEnd& event) override {
    losses.push_back(event.outputs.loss.item<double>());
  }
  std::vector<at::Tensor> gradients, weights;
  std::vector<double> losses;
};

std::shared_ptr<Gradients> fit(std::vector<CallbackHandle> plugins, std::int64_t accumulate = 1) {
  const auto seen = std::make_shared<Gradients>();
  plugins.insert(plugins.begin(), seen);
  TrainerOptions options = quiet(1);
  options.accumulate_grad_batches = accumulate;
  options.limit_train_batches = 2;
  ToyModule module;
  Trainer(options, plugins).fit(module, toy_data(4));
  return seen;
}

}  // namespace

TEST_CASE("a term's gradient is added to the loss's, and the loss itself stays") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* term = l2(caller, 0.25);
    CHECK(add(caller, term) == GRAPNEL_OK);
    return caller.tensors().release(caller.host, term);
  });
  const auto plain = fit({});
  const auto with = fit({plugin.handle()});
  CHECK(at::allclose(with->gradients[0], plain->gradients[0] + 0.5 * plain->weights[0]));
  CHECK(with->losses[0] == plain->losses[0]);
}

TEST_CASE("terms of several plugins are added, and divided by the accumulation like the loss") {
  InProcessPlugin one, two("{}", "1.2.3", "other");
  for (InProcessPlugin* plugin : {&one, &two}) {
    plugin->on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
      grapnel_tensor* term = l2(caller, 1);
      CHECK(add(caller, term) == GRAPNEL_OK);
      return caller.tensors().release(caller.host, term);
    });
  }
  const auto plain = fit({}, 2);
  const auto with = fit({one.handle(), two.handle()}, 2);
  // After the window's two batches: 2 plugins, each 2 w per batch, halved.
  CHECK(at::allclose(with->gradients[0], plain->gradients[0] + 2 * plain->weights[0]));
  CHECK(at::allclose(with->gradients[1], plain->gradients[1] + 4 * plain->weights[1]));
}

TEST_CASE("a term may be made of the loss, and what is written to that stays with the plugin") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* loss = nullptr;
    CHECK(autograd(caller).step_loss(caller.host, &loss) == GRAPNEL_OK);
    grapnel_tensor* scribbled = nullptr;
    CHECK(autograd(caller).step_loss(caller.host, &scribbled) == GRAPNEL_OK);
    apply(caller, "aten::zero_", "", {value_of(scribbled)});
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
    grapnel_tensor* term = apply(caller, "aten::mul", "Scalar", {value_of(loss), value_of(2.0)});
    CHECK(add(caller, term, "twice") == GRAPNEL_OK);  // recording ends with the hook
    for (grapnel_tensor* each : {loss, scribbled, term}) {
      caller.tensors().release(caller.host, each);
    }
    return GRAPNEL_OK;
  });
  const auto plain = fit({}, 2);
  const auto with = fit({plugin.handle()}, 2);
  CHECK(at::allclose(with->gradients[1], 3 * plain->gradients[1]));
}

TEST_CASE("recording ends with the hook at the latest, and only operators between record") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    CHECK(autograd(caller).end_recording(caller.host) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;  // left open
  });
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event*) {
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_NOT_NOW);
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    grapnel_tensor* sum = apply(caller, "aten::sum", "", {value_of(weight)});
    CHECK(add(caller, sum) == GRAPNEL_NOT_NOW);
    grapnel_tensor* loss = nullptr;
    CHECK(autograd(caller).step_loss(caller.host, &loss) == GRAPNEL_NOT_NOW);
    return caller.tensors().release(caller.host, sum);
  });
  CapturedLog log;
  fit({plugin.handle()});
  CHECK(log.count("autograd.add_term: possible only in on_before_backward") == 1);
}

TEST_CASE("a term that can't be one fails the run and is named") {
  const auto failure = [](auto&& make_term) -> std::string {
    InProcessPlugin plugin;
    plugin.on(Hook::on_before_backward, [&](const Caller& caller, const grapnel_Event*) {
      grapnel_tensor* term = make_term(caller);
      const std::int32_t status = add(caller, term, "l2 of weights");
      caller.tensors().release(caller.host, term);
      return status;
    });
    try {
      fit({plugin.handle()});
    } catch (const PluginError& error) {
      return error.what();
    }
    return "none";
  };
  const auto recorded = [](const Caller& caller, auto&& make) {
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
    return make(caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor);
  };
  CHECK_THAT(failure([&](const Caller& caller) {
               return recorded(caller, [&](grapnel_tensor* weight) {
                 return apply(caller, "aten::square", "", {value_of(weight)});
               });
             }),
             Contains("plugin 'probe'") &&
                 Contains("the term 'l2 of weights' of the loss has the shape [3, 1]"));
  CHECK_THAT(failure([&](const Caller& caller) {
               return l2(caller, std::numeric_limits<double>::infinity());
             }),
             Contains("the term 'l2 of weights' of the loss is inf; it must be finite"));
  CHECK_THAT(failure([&](const Caller& caller) {
               grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
               return apply(caller, "aten::sum", "", {value_of(weight)});
             }),
             Contains("the term 'l2 of weights' of the loss has no gradients"));
}

TEST_CASE("a term that is kept from an earlier backward pass fails the run and is named") {
  const auto failure = [](auto&& next_term) -> std::string {
    InProcessPlugin plugin;
    grapnel_tensor* kept = nullptr;
    plugin.on(Hook::on_before_backward, [&](const Caller& caller, const grapnel_Event*) {
      if (kept == nullptr) {
        kept = l2(caller, 0.25);
        return add(caller, kept, "kept");
      }
      return add(caller, next_term(caller, kept), "kept");
    });
    try {
      fit({plugin.handle()});
    } catch (const std::exception& error) {
      return error.what();
    }
    return "none";
  };
  const auto again = [](const Caller&, grapnel_tensor* kept) { return kept; };
  const auto part_of_new = [](const Caller& caller, grapnel_tensor* kept) {
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
    return apply(caller, "aten::mul", "Scalar", {value_of(kept), value_of(2.0)});
  };
  for (const std::string& message : {failure(again), failure(part_of_new)}) {
    CHECK_THAT(message,
               Contains("plugin 'probe'") &&
                   Contains("the term 'kept' of the loss was recorded in an earlier call"));
  }
}

TEST_CASE("in manual optimization terms are added at each manual_backward, to the loss of that") {
  struct Manual final : ToyModule {
    Manual() { automatic_optimization = false; }
    StepOutput training_step(Batch& batch, std::int64_t) override {
      optimizers().zero_grad();
      const at::Tensor loss = loss_of(batch);
      manual_backward(2 * loss_of(batch));
      manual_backward(loss);  // recorded before the backward pass of the other one
      optimizers().step();
      return loss;
    }
  };
  InProcessPlugin plugin;
  std::vector<double> losses;
  plugin.on(Hook::on_before_backward, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* loss = nullptr;
    CHECK(autograd(caller).step_loss(caller.host, &loss) == GRAPNEL_OK);
    losses.push_back(caller.values(loss).at(0));
    CHECK(autograd(caller).begin_recording(caller.host) == GRAPNEL_OK);
    grapnel_tensor* term = apply(caller, "aten::mul", "Scalar", {value_of(loss), value_of(1.0)});
    CHECK(add(caller, term) == GRAPNEL_OK);
    caller.tensors().release(caller.host, loss);
    return caller.tensors().release(caller.host, term);
  });
  const auto gradient = [](std::vector<CallbackHandle> callbacks) {
    TrainerOptions options = quiet(1);
    options.accumulate_grad_batches = 1;
    options.limit_train_batches = 1;
    const auto seen = std::make_shared<Gradients>();
    callbacks.insert(callbacks.begin(), seen);
    Manual module;
    Trainer(options, callbacks).fit(module, toy_data(4));
    return seen->gradients.back();
  };
  const at::Tensor plain = gradient({});
  CHECK(at::allclose(gradient({plugin.handle()}), 2 * plain));
  REQUIRE(losses.size() == 2);
  CHECK(losses[0] == Approx(2 * losses[1]));
}

TEST_CASE("a name that is none and a handle that is none are refused") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* term = l2(caller, 1);
    CHECK(add(caller, term, "") == GRAPNEL_INVALID_ARGUMENT);
    CHECK(add(caller, term, std::string(513, 'x')) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(add(caller, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(autograd(caller).step_loss(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    return caller.tensors().release(caller.host, term);
  });
  const auto plain = fit({});
  const auto with = fit({plugin.handle()});
  CHECK(with->gradients[0].equal(plain->gradients[0]));
}

}  // namespace autograd_test
