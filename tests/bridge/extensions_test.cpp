// Which extensions there are, and log, the smallest of them.
#include <algorithm>
#include <thread>

#include <grapnel/ext/event.h>
#include <grapnel/ext/log.h>
#include <grapnel/ext/state.h>
#include <grapnel/host/manifest.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace extensions_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("the host offers exactly the extensions that its manifest check promises") {
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    for (const std::string& id : host::offered_extensions()) {
      INFO(id);
      const void* table = nullptr;
      CHECK(caller.host->get_extension(caller.host, text(std::string_view(id)), &table) ==
            GRAPNEL_OK);
      CHECK(table != nullptr);
    }
    using sv = std::string_view;
    const void* table = nullptr;
    for (const sv absent : {sv("grapnel.moon/1"), sv("grapnel.log/2"), sv()}) {
      CHECK(caller.host->get_extension(caller.host, text(absent), &table) == GRAPNEL_NOT_FOUND);
    }
    CHECK(table == nullptr);
    return GRAPNEL_OK;
  };
  plugin.make();
  const auto& offered = host::offered_extensions();
  CHECK(offered.size() == 23);  // one header each in grapnel/ext
  CHECK(std::is_sorted(offered.begin(), offered.end()));
}

TEST_CASE("a plugin can read the host's name, version and ABI") {
  InProcessPlugin plugin;
  plugin.create = [](const Caller& caller) {
    CHECK(caller.host->struct_size == sizeof(grapnel_host));
    CHECK(caller.host->abi_minor == GRAPNEL_ABI_MINOR);
    CHECK(text(caller.host->name) == "grapnel");
    CHECK(host::is_semantic_version(text(caller.host->version)));
    return GRAPNEL_OK;
  };
  plugin.make();
  CHECK(plugin.created == 1);
}

TEST_CASE("a line of the plugin's log has its id in front, and nothing that drives a terminal") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    const auto& table = caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
    using sv = std::string_view;
    CHECK(table.write(caller.host, GRAPNEL_LOG_WARNING, text(sv("hello\x1b[2J"))) == GRAPNEL_OK);
    CHECK(table.write(caller.host, 17, text(sv("hello"))) == GRAPNEL_UNSUPPORTED);
    CHECK(table.write(caller.host, GRAPNEL_LOG_INFO, {nullptr, 5}) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  };
  plugin.make();
  CHECK(log.count("warning: [probe] hello\\x1b[2J") == 1);
}

TEST_CASE("a line is logged once per key and instance") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    const auto& table = caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
    const grapnel_string key = text(std::string_view("key"));
    for (const std::string_view line : {"first", "second"}) {
      CHECK(table.once(caller.host, GRAPNEL_LOG_INFO, key, text(line)) == GRAPNEL_OK);
    }
    return GRAPNEL_OK;
  };
  const auto one = plugin.make();
  const auto two = plugin.make();
  CHECK(log.count("[probe] first") == 2);
  CHECK(log.count("second") == 0);
}

TEST_CASE("from a plugin's own thread log works and every other service answers WRONG_THREAD") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    std::thread([&] {
      using sv = std::string_view;
      const auto& table = caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
      CHECK(table.write(caller.host, GRAPNEL_LOG_INFO, text(sv("from a thread"))) == GRAPNEL_OK);
      std::uint64_t count = 0;
      CHECK(caller.module().count(caller.host, GRAPNEL_MODULE_PARAMETERS, &count) ==
            GRAPNEL_WRONG_THREAD);
      const grapnel_tensor_info* info = nullptr;
      CHECK(caller.tensors().describe(caller.host, weight, &info) == GRAPNEL_WRONG_THREAD);
      CHECK(info == nullptr);
      CHECK(caller.fail("from a thread") == GRAPNEL_WRONG_THREAD);
    }).join();
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(log.count("[probe] from a thread") == 1);
  CHECK(log.count("module.count: called on a thread other than the one that called the plugin") ==
        1);
}

TEST_CASE("outside a call into the plugin only the log service answers") {
  InProcessPlugin plugin;
  const grapnel_host* host = nullptr;
  plugin.init = [&](const Caller& caller) {
    host = caller.host;
    return GRAPNEL_OK;
  };
  const auto callback = plugin.make();
  const std::int64_t size = 1;
  const float element = 1;
  grapnel_tensor* made = nullptr;
  const Caller caller{host};
  CHECK(caller.tensors().from_data(host, GRAPNEL_DTYPE_F32, &size, 1, &element, 4, &made) ==
        GRAPNEL_NOT_NOW);
}

}  // namespace extensions_test
