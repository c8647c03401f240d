// A host of a longer SDK: what it does with a plugin of today, besides running it (../plugins).
#include <dlfcn.h>

#include <filesystem>

#include "../bridge/support/toy_training.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/bridge/plugin_callback.h"
#include "grapnel/host/manifest.h"
#include "temp_dir.h"

namespace longer_host_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("the structs of this host are longer than those that plugins were built with") {
  CHECK(sizeof(grapnel_TrainBatchEnd) == 40);
  CHECK(host::host_abi.minor == TODAYS_MINOR + 1);
}

// It ends the process when an event is short, has another hook's id, or comes at another time.
TEST_CASE("a plugin that watches its host finds nothing wrong with a longer one") {
  const auto directory = std::filesystem::path(HOSTILE) / "witness";
  void* library = dlopen((directory / "witness.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  const auto* entry =
      static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  REQUIRE(entry != nullptr);
  CHECK(entry->abi_minor < GRAPNEL_ABI_MINOR);
  const auto manifest =
      host::parse_manifest(read_file(directory / "witness.grapnel.json"), "witness");
  CHECK(host::incompatibility(manifest).empty());
  CapturedLog log;
  Toy toy;
  toy.options.max_epochs = 1;
  toy.fit({as_plugin(
      std::make_shared<bridge::PluginCallback>(manifest, "witness", *entry->factories[0]))});
  toy.trainer.reset();
  CHECK(log.count("created") == 1);
}

}  // namespace longer_host_test
