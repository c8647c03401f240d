// Failures: whose they are, as what they come out, and what "disable" makes of them.
#include <stdexcept>

#include <grapnel/base/error.h>
#include <grapnel/dispatcher.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace failures_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// A plugin whose on_train_batch_end answers the status, after saying the text if there is one.
void answer(InProcessPlugin& plugin, std::int32_t status, const std::string& reason = "") {
  plugin.on(Hook::on_train_batch_end, [=](const Caller& caller, const grapnel_Event*) {
    if (!reason.empty()) caller.fail(reason);
    return status;
  });
}

PluginError failure_of(InProcessPlugin& plugin) {
  Toy toy;
  try {
    toy.fit({plugin.handle()});
  } catch (const PluginError& error) {
    return error;
  }
  throw std::runtime_error("the run did not fail with a PluginError");
}

CallbackHandle disabling(CallbackHandle handle) {
  handle.on_error = OnError::disable;
  return handle;
}

// An operator that refuses its arguments, as a service that fails.
std::int32_t failing_service(const Caller& caller) {
  grapnel_tensor* two = caller.floats({1, 2});
  std::vector<grapnel_value> results;
  const std::int32_t status =
      caller.call("aten::view", "", {value_of(two), value_of(std::int64_t{5})}, results);
  caller.tensors().release(caller.host, two);
  CHECK(status == GRAPNEL_PENDING);
  return status;
}

}  // namespace

TEST_CASE("a hook that fails ends the run with plugin, version, callback, hook and reason") {
  InProcessPlugin plugin;
  answer(plugin, GRAPNEL_ERROR, "the moon is full");
  const PluginError error = failure_of(plugin);
  CHECK(error.plugin == "probe");
  CHECK(error.version == "1.2.3");
  CHECK(error.callback == "probe");
  CHECK(error.hook == "on_train_batch_end");
  CHECK_THAT(error.what(), Catch::Equals("plugin 'probe' 1.2.3: callback 'probe' failed in "
                                         "on_train_batch_end: the moon is full"));
  CHECK(exit_code_of(error) == 1);
}

TEST_CASE("a hook's failure without a reason says that it gave none") {
  InProcessPlugin plugin;
  answer(plugin, GRAPNEL_ERROR);
  CHECK_THAT(failure_of(plugin).what(), Catch::Contains("it gave no reason"));
}

TEST_CASE("a hook's invalid status is reported as the plugin's fault") {
  for (const std::int32_t status :
       {GRAPNEL_NOT_FOUND, GRAPNEL_INVALID_ARGUMENT, GRAPNEL_NOT_NOW, 4711, INT32_MIN + 1}) {
    InProcessPlugin plugin;
    answer(plugin, status);
    CHECK_THAT(failure_of(plugin).what(), Catch::Contains("status " + std::to_string(status)) &&
                                              Catch::Contains("(plugin bug)"));
  }
  InProcessPlugin plugin;
  answer(plugin, GRAPNEL_PENDING);
  CHECK_THAT(failure_of(plugin).what(), Catch::Contains("no host service had failed (plugin bug)"));
}

TEST_CASE("a C++ exception that crosses the boundary stays an error of the plugin") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller&, const grapnel_Event*) -> std::int32_t {
    throw std::runtime_error("thrown in the plugin");
  });
  CHECK_THAT(failure_of(plugin).what(), Catch::Contains("crossed the ABI boundary") &&
                                            Catch::Contains("thrown in the plugin"));
  InProcessPlugin odd;
  odd.on(Hook::on_train_start,
         [](const Caller&, const grapnel_Event*) -> std::int32_t { throw 42; });
  CHECK_THAT(failure_of(odd).what(), Catch::Contains("a type unknown to the host"));
}

TEST_CASE("a service's failure that a hook passes on is rethrown as the original") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start,
            [](const Caller& caller, const grapnel_Event*) { return failing_service(caller); });
  Toy toy;
  CapturedLog log;
  CHECK_THROWS_AS(toy.fit({plugin.handle()}), c10::Error);
  CHECK(log.count("error: a host service that plugin 'probe' 1.2.3: callback 'probe' called in "
                  "on_train_start failed: ") == 1);
}

TEST_CASE("a service's failure that create or init passes on refuses the plugin by name") {
  for (const char* place : {"create", "init"}) {
    InProcessPlugin plugin;
    (place == std::string("create") ? plugin.create : plugin.init) = failing_service;
    try {
      plugin.make();
      FAIL("it was made");
    } catch (const PluginError& error) {
      CHECK(error.plugin == "probe");
      CHECK_THAT(error.what(), Catch::Contains("plugin 'probe' 1.2.3: callback 'probe' failed in " +
                                               std::string(place)) &&
                                   Catch::Contains("shape '[5]' is invalid"));
      CHECK(exit_code_of(error) == 4);
    }
  }
}

TEST_CASE("a service's failure that a hook swallows is logged, and the run continues") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    failing_service(caller);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(log.count("warning: [probe] on_train_start: ignored the failure of a host service") == 1);
}

TEST_CASE("a plugin's own failure after a service's failure reports both") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    failing_service(caller);
    caller.fail("cannot go on");
    return GRAPNEL_ERROR;
  });
  CHECK_THAT(failure_of(plugin).what(), Catch::Contains("cannot go on"));
  CHECK(log.count("ignored the failure of a host service") == 1);
}

TEST_CASE("on_error disable continues the run without the plugin and logs that once") {
  CapturedLog log;
  InProcessPlugin plugin;
  int calls = 0;
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    ++calls;
    caller.fail("the moon is full");
    return GRAPNEL_ERROR;
  });
  plugin.on(Hook::on_run_end, [&](const Caller&, const grapnel_Event*) {
    ++calls;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.max_epochs = 2;
  {
    const CallbackHandle handle = disabling(plugin.handle());
    toy.fit({handle});
    CHECK(toy.trainer->dispatcher().disabled(handle.callback.get()));
    toy.trainer.reset();
  }
  CHECK(calls == 1);
  CHECK(plugin.destroyed == 1);
  CHECK(log.count("error: probe failed in on_train_batch_end and is disabled; the run continues "
                  "without it: plugin 'probe' 1.2.3: callback 'probe' failed in "
                  "on_train_batch_end: the moon is full") == 1);
}

TEST_CASE("later checkpoints keep a disabled plugin's last good state") {
  InProcessPlugin plugin;
  std::int64_t number = 41;
  plugin.save = [&](const Caller&, const grapnel_state_writer* writer) {
    return writer->put_i64(writer, text(std::string_view("number")), ++number);
  };
  plugin.on(Hook::on_train_end, [](const Caller&, const grapnel_Event*) { return GRAPNEL_ERROR; });
  Toy toy;
  const CallbackHandle handle = disabling(plugin.handle());
  const auto saved = [&] {
    const StateDict checkpoint = toy.trainer->dump_checkpoint();
    const StateDict& states = checkpoint.at("callbacks").to_dict();
    const StateDict& own = states.at(handle.callback->state_key()).to_dict();
    return own.at("state").to_dict().at("number").to_int();
  };
  std::int64_t during = 0;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage == "train" && during == 0) during = saved();
  };
  toy.fit({handle});
  CHECK(during == 42);
  CHECK(toy.trainer->dispatcher().disabled(handle.callback.get()));
  CHECK(saved() == 42);
  CHECK(number == 42);
}

TEST_CASE("a lease of a plugin that is disabled ends at once") {
  InProcessPlugin plugin;
  Toy toy;
  plugin.on(Hook::on_validation_start, [](const Caller& caller, const grapnel_Event*) {
    const std::uint64_t index = 1;
    grapnel_tensor* seven = caller.floats({7});
    grapnel_lease* lease = nullptr;
    const std::int32_t status = caller.module().lease_weights(
        caller.host, &index, 1, nullptr, 0, &seven, text(std::string_view("a test")), &lease);
    caller.tensors().release(caller.host, seven);
    return status;
  });
  plugin.on(Hook::on_validation_epoch_start,
            [](const Caller&, const grapnel_Event*) { return GRAPNEL_ERROR; });
  double during = -1;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage == "validate") during = toy.module.bias.item<double>();
  };
  toy.fit({disabling(plugin.handle())});
  CHECK(during != 7);
  CHECK(during == toy.module.bias.item<double>());
}

TEST_CASE("a plugin that fails while the run fails does not hide the run's error") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_exception, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_ExceptionEvent*>(raw);
    CHECK(text(event->message) == "the data is bad");
    caller.fail("and the plugin too");
    return GRAPNEL_ERROR;
  });
  Toy toy;
  toy.module.during_step = [](const std::string&, Batch&) {
    throw std::runtime_error("the data is bad");
  };
  CHECK_THROWS_WITH(toy.fit({plugin.handle()}), Catch::Equals("the data is bad"));
}

}  // namespace failures_test
