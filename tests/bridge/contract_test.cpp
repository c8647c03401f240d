// What the host answers to what it doesn't know, to reserved fields, and to calls that come late: the
// rules at the top of grapnel/abi.h.
#include <grapnel/ext/event.h>
#include <grapnel/ext/metrics.h>
#include <grapnel/ext/request.h>

#include <atomic>
#include <thread>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace contract_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

constexpr std::string_view kReason = "because";

// The statuses of one call in on_train_batch_end.
std::int32_t in_hook(const InProcessPlugin::LifeFunction& call) {
  InProcessPlugin plugin;
  std::int32_t status = INT32_MAX;
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    status = call(caller);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  return status;
}

std::string refusal(InProcessPlugin& plugin) {
  try {
    Toy toy;
    toy.fit({plugin.handle()});
  } catch (const PluginError& error) {
    return error.what();
  }
  return "no PluginError";
}

std::int32_t ok(const Caller&, const grapnel_Event*) {
  return GRAPNEL_OK;
}

}  // namespace

TEST_CASE("what a newer header may define is UNSUPPORTED, and no fault of the plugin") {
  const CapturedLog log;
  CHECK(in_hook([](const Caller& caller) {
          return caller.table<grapnel_request>(GRAPNEL_EXT_REQUEST)
              .request(caller.host, 7, text(kReason));
        }) == GRAPNEL_UNSUPPORTED);
  CHECK(in_hook([](const Caller& caller) {
          const grapnel_metric_options options = {sizeof options, 0x80000000u, 0};
          return caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS)
              .log_f64(caller.host, text(kReason), 1, &options);
        }) == GRAPNEL_UNSUPPORTED);
  CHECK(in_hook([](const Caller& caller) {
          const grapnel_value strange = {99, 0, 0, {nullptr}};
          std::vector<grapnel_value> results(1);
          return caller.call("aten::neg", "", {strange}, results);
        }) == GRAPNEL_UNSUPPORTED);
  CHECK(in_hook([](const Caller& caller) {
          const std::int64_t size = 1;
          grapnel_tensor* tensor = nullptr;
          return caller.tensors().from_data(caller.host, 99, &size, 1, &size, sizeof size, &tensor);
        }) == GRAPNEL_UNSUPPORTED);
  CHECK(in_hook([](const Caller& caller) {
          std::uint64_t count = 0;
          return caller.module().count(caller.host, 99, &count);
        }) == GRAPNEL_UNSUPPORTED);
  CHECK(in_hook([](const Caller& caller) {
          return caller.table<grapnel_log>(GRAPNEL_EXT_LOG).write(caller.host, 99, text(kReason));
        }) == GRAPNEL_UNSUPPORTED);
  CHECK_THAT(log.text(), !Contains("broke the contract"));
}

TEST_CASE("flags that may be ignored are ignored") {
  CHECK(in_hook([](const Caller& caller) {
          const grapnel_metric_options options = {sizeof options, 0x4000, 0};
          return caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS)
              .log_f64(caller.host, text(kReason), 1, &options);
        }) == GRAPNEL_OK);
  InProcessPlugin plugin;
  plugin.hook_flags = 0x4000;
  plugin.on(Hook::setup, ok);
  CHECK(refusal(plugin) == "no PluginError");
}

TEST_CASE("unknown flags that must be understood, and reserved fields, are refused by name") {
  InProcessPlugin flagged;
  flagged.hook_flags = 0xfffffffe;
  flagged.on(Hook::setup, ok);
  CHECK_THAT(refusal(flagged), Contains("its entry for setup has the flags 0xffff0000"));

  InProcessPlugin reserved;
  reserved.hook_reserved = 0xdead;
  reserved.on(Hook::setup, ok);
  CHECK_THAT(refusal(reserved),
             Contains("its entry for setup has 0xdead in its field 'reserved', which must be 0"));

  static const grapnel_event_handlers handlers = {
      sizeof handlers, 0xbeef,
      [](grapnel_instance*, std::uint64_t*) -> std::int32_t { return GRAPNEL_OK; },
      [](grapnel_instance*, std::uint64_t, const grapnel_event_handler**) -> std::int32_t {
        return GRAPNEL_NOT_FOUND;
      }};
  InProcessPlugin with_events;
  with_events.extension = [](std::string_view id) -> const void* {
    return id == GRAPNEL_EXT_EVENT ? &handlers : nullptr;
  };
  CHECK_THAT(refusal(with_events),
             Contains("its extension grapnel.event/1 has 0xbeef in its field 'reserved'"));

  CHECK(in_hook([](const Caller& caller) {
          grapnel_value value = value_of(1.0);
          value.reserved = 1;
          std::vector<grapnel_value> results(1);
          return caller.call("aten::neg", "", {value}, results);
        }) == GRAPNEL_INVALID_ARGUMENT);
}

TEST_CASE("an absurd number of an event's arguments is refused, not read") {
  static const grapnel_event_argument argument = {
      sizeof argument, 0, {"a", 1}, GRAPNEL_VALUE_I64, 0, {GRAPNEL_VALUE_NONE, 0, 0, {nullptr}}};
  static const grapnel_event_argument* const arguments[] = {&argument};
  static const grapnel_event_handler handler = {
      sizeof handler,
      0xffffffff,
      {"e", 1},
      arguments,
      [](grapnel_instance*, const grapnel_event_handler*, const grapnel_value*) -> std::int32_t {
        return GRAPNEL_OK;
      }};
  static const grapnel_event_handlers handlers = {
      sizeof handlers, 0,
      [](grapnel_instance*, std::uint64_t* count) -> std::int32_t {
        *count = 1;
        return GRAPNEL_OK;
      },
      [](grapnel_instance*, std::uint64_t, const grapnel_event_handler** out) -> std::int32_t {
        *out = &handler;
        return GRAPNEL_OK;
      }};
  InProcessPlugin plugin;
  plugin.extension = [](std::string_view id) -> const void* {
    return id == GRAPNEL_EXT_EVENT ? &handlers : nullptr;
  };
  CHECK_THAT(refusal(plugin), Contains("has 4294967295 arguments, at most 256 are accepted"));
}

TEST_CASE("the host says that it calls the plugin's side of an extension") {
  for (const char* id : {GRAPNEL_EXT_STATE, GRAPNEL_EXT_EVENT}) {
    CHECK(in_hook([id](const Caller& caller) {
            const void* table = nullptr;
            return caller.host->get_extension(caller.host, text(std::string_view(id)), &table);
          }) == GRAPNEL_OK);
  }
}

TEST_CASE("the text of a failure belongs to the call that reported it") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    caller.fail("text of on_train_start");
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_batch_end,
            [](const Caller&, const grapnel_Event*) { return GRAPNEL_ERROR; });
  const CapturedLog log;
  CHECK_THAT(refusal(plugin), Contains("on_train_batch_end") && Contains("it gave no reason"));
  CHECK(log.count("on_train_start: reported a failure, but returned OK; ignored: text of "
                  "on_train_start") == 1);
}

TEST_CASE("after destroy every service answers NOT_NOW, on any thread") {
  Caller late;
  const grapnel_log* table = nullptr;
  const grapnel_tensors* tensors = nullptr;
  {
    InProcessPlugin plugin;
    plugin.init = [&](const Caller& caller) {
      late = caller;
      table = &caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
      tensors = &caller.tensors();
      return GRAPNEL_OK;
    };
    Toy toy;
    toy.fit({plugin.handle()});
  }
  const auto calls = [&] {
    const void* extension = nullptr;
    grapnel_tensor* owned = nullptr;
    CHECK(table->write(late.host, GRAPNEL_LOG_INFO, text(kReason)) == GRAPNEL_NOT_NOW);
    CHECK(late.host->get_extension(late.host, text(std::string_view(GRAPNEL_EXT_LOG)),
                                   &extension) == GRAPNEL_NOT_NOW);
    CHECK(late.fail(kReason) == GRAPNEL_NOT_NOW);
    CHECK(tensors->retain(late.host, nullptr, &owned) == GRAPNEL_NOT_NOW);
  };
  calls();
  std::thread(calls).join();
}

TEST_CASE("a thread of the plugin may log while its instance is destroyed") {
  std::atomic<bool> stop = false;
  std::thread logger;
  {
    InProcessPlugin plugin;
    plugin.init = [&](const Caller& caller) {
      const auto* table = &caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
      logger = std::thread([&stop, table, host = caller.host] {
        while (!stop) table->write(host, GRAPNEL_LOG_DEBUG, text(kReason));
      });
      return GRAPNEL_OK;
    };
    Toy toy;
    toy.fit({plugin.handle()});
  }
  stop = true;
  logger.join();
}

}  // namespace contract_test
