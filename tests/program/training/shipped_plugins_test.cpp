// All plugins that ship in one training, each doing its part, none in the way of another.
#include <grapnel/base/safetensors.h>

#include <map>

#include "trainee.h"

namespace shipped_plugins_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// Every plugin of the build, enabled.
void enable_all(const Trainee& user) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(PLUGIN_DIRECTORY)) {
    if (entry.path().extension() != ".so") continue;
    const std::string id = entry.path().stem().string();
    user.drop_in(id);
    user.answer({"plugin", "enable", id});
    ++count;
  }
  REQUIRE(count >= 9);
}

using Tensors = std::map<std::string, std::string>;  // bytes by name

Tensors exported(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Tensors tensors;
  for (const TensorEntry& entry : file.tensors()) {
    const auto bytes = file.bytes(entry);
    tensors[entry.name] = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return tensors;
}

}  // namespace

TEST_CASE("all plugins run together, and a resumed run ends as one that was never stopped") {
  const Trainee user;
  enable_all(user);
  const Arguments whole = {"--run-dir", "whole", "--set", "trainer.log_every_n_steps=3"};
  const Arguments parts = {"--run-dir", "parts", "--set", "trainer.log_every_n_steps=3"};
  const ConfigValue answer = user.fit_json(4, whole);
  CHECK(answer.at("plugins").size() >= 9);
  for (const char* name :
       {"data_wait_share", "eta_seconds", "grad_norm/total", "memory/peak_mib",
        "memory/resident_mib", "optimizer/beta1", "optimizer/lr", "update_ratio/total"}) {
    INFO(name);
    CHECK(answer.at("metrics").contains(name));
  }

  user.fit_json(2, parts);
  Arguments resumed = parts;
  resumed.insert(resumed.end(), {"--ckpt", "last"});
  CHECK(user.fit_json(4, resumed).at("global_step").as_int() == 40);
  CHECK(tensors_of(user.here("parts/checkpoints/last.ckpt")) ==
        tensors_of(user.here("whole/checkpoints/last.ckpt")));
  CHECK(read_file(user.here("parts/best.safetensors")) ==
        read_file(user.here("whole/best.safetensors")));
}

TEST_CASE("the weights that best_model_exporter keeps are the average that was validated") {
  const Trainee user;
  for (const char* id : {"ema", "best_model_exporter"}) {
    user.drop_in(id);
    user.answer({"plugin", "enable", id});
  }
  user.fit_json(1, {"--run-dir", "run", "--set", "callbacks.ema.decay=0.9"});
  const Tensors best = exported(user.here("run/best.safetensors"));
  REQUIRE(!best.empty());
  Tensors averages;
  Tensors trained;
  for (const auto& [name, bytes] : tensors_of(user.here("run/checkpoints/last.ckpt"))) {
    for (const std::string kind : {".parameter.", ".buffer."}) {
      const auto at = name.find(kind);
      if (at != std::string::npos) averages[name.substr(at + kind.size())] = bytes;
    }
    if (name.starts_with("model.")) trained[name.substr(6)] = bytes;
  }
  CHECK(best == averages);
  CHECK(best != trained);
}

}  // namespace shipped_plugins_test
