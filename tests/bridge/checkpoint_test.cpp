// Extension checkpoint: a plugin finds the training's files, and pins those that must stay.
#include <grapnel/ext/checkpoint.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/checkpoint_pin.h>
#include <grapnel/plugin.hpp>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace checkpoint_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;
namespace gp = grapnel::plugin;

namespace {

const grapnel_checkpoint& checkpoints(const Caller& caller) {
  return caller.table<grapnel_checkpoint>(GRAPNEL_EXT_CHECKPOINT);
}

// Fits of one epoch each save "N.ckpt" at its end and remove the one before.
struct Saving : Toy {
  explicit Saving(ModelCheckpointOptions wanted = {}) {
    options.enable_checkpointing = true;
    options.max_epochs = 3;
    wanted.dirpath = directory / "c";
    wanted.filename = "{epoch}";
    writer = std::make_shared<ModelCheckpoint>(wanted);
  }
  void fit_with(const CallbackHandle& plugin) { fit({plugin, writer}); }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(directory / "c")) {
      names.insert(each.path().filename().string());
    }
    return names;
  }
  std::string file(int epoch) const {
    return (fs::absolute(directory.path()) / "c" / ("epoch=" + std::to_string(epoch) + ".ckpt"))
        .string();
  }

  TempDir directory;
  std::shared_ptr<ModelCheckpoint> writer;
};

}  // namespace

TEST_CASE("a plugin finds the newest and the best checkpoint, and the one that is being made") {
  InProcessPlugin plugin;
  plugin.create = [](const Caller& caller) {
    grapnel_string path{};
    CHECK(checkpoints(caller).last(caller.host, &path) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  Saving toy({.monitor = "val_loss", .save_top_k = -1});
  std::vector<std::string> newest, making;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    grapnel_string path{};
    double value = 0;
    CHECK(checkpoints(caller).last(caller.host, &path) == GRAPNEL_NOT_FOUND);
    CHECK(checkpoints(caller).best(caller.host, &path, &value) == GRAPNEL_NOT_FOUND);
    CHECK(checkpoints(caller).writing(caller.host, &path) == GRAPNEL_NOT_FOUND);
    CHECK(checkpoints(caller).last(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(checkpoints(caller).best(caller.host, &path, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_save_checkpoint, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_string path{};
    REQUIRE(checkpoints(caller).writing(caller.host, &path) == GRAPNEL_OK);
    making.push_back(text(path));
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_checkpoint_written, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_string path{};
    CHECK(checkpoints(caller).writing(caller.host, &path) == GRAPNEL_NOT_FOUND);
    return GRAPNEL_OK;
  });
  std::string best;
  double best_value = 0;
  plugin.on(Hook::on_fit_end, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_string path{};
    REQUIRE(checkpoints(caller).last(caller.host, &path) == GRAPNEL_OK);
    newest.push_back(text(path));
    REQUIRE(checkpoints(caller).best(caller.host, &path, &best_value) == GRAPNEL_OK);
    best = text(path);
    return GRAPNEL_OK;
  });
  toy.fit_with(plugin.handle());
  CHECK(newest == std::vector<std::string>{toy.file(2)});
  CHECK(making == std::vector<std::string>{toy.file(0), toy.file(1), toy.file(2)});
  CHECK(best == toy.writer->best_model_path());
  CHECK(best_value == toy.writer->best_model_score());
}

TEST_CASE("without a monitor the newest checkpoint is the best, of no value") {
  InProcessPlugin plugin;
  Saving toy;
  double value = 0;
  plugin.on(Hook::on_fit_end, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_string path{};
    REQUIRE(checkpoints(caller).best(caller.host, &path, &value) == GRAPNEL_OK);
    CHECK(text(path) == toy.file(2));
    return GRAPNEL_OK;
  });
  toy.fit_with(plugin.handle());
  CHECK(std::isnan(value));
}

TEST_CASE("a pinned checkpoint stays until its last pin ends, and goes with the next removal") {
  InProcessPlugin plugin;
  Saving toy;
  toy.options.max_epochs = 5;
  int epoch = 0;
  plugin.on(Hook::on_train_epoch_start, [&](const Caller& caller, const grapnel_Event*) {
    const grapnel_checkpoint& table = checkpoints(caller);
    const std::string first = toy.file(0);
    const auto unpin = [&] { return table.unpin(caller.host, text(std::string_view(first))); };
    if (epoch == 0) {  // before it exists
      CHECK(unpin() == GRAPNEL_NOT_FOUND);
      for (int i = 0; i < 2; ++i) {
        CHECK(table.pin(caller.host, text(std::string_view(first)), text(std::string_view("up"))) ==
              GRAPNEL_OK);
      }
    }
    if (epoch == 1) CHECK(unpin() == GRAPNEL_OK);
    if (epoch == 2) {
      CHECK(fs::exists(first));
      CHECK(fs::exists(toy.file(1)));
    }
    if (epoch == 3) {
      CHECK(fs::exists(first));
      CHECK_FALSE(fs::exists(toy.file(1)));
      CHECK(unpin() == GRAPNEL_OK);
      CHECK(unpin() == GRAPNEL_NOT_FOUND);
    }
    if (epoch == 4) CHECK_FALSE(fs::exists(first));
    ++epoch;
    return GRAPNEL_OK;
  });
  toy.fit_with(plugin.handle());
  CHECK(toy.files() == std::set<std::string>{"epoch=4.ckpt"});
}

TEST_CASE("pins end with the instance") {
  Saving toy;
  toy.options.max_epochs = 1;
  const auto pinned = [&] {
    InProcessPlugin plugin;
    plugin.on(Hook::on_fit_start, [&](const Caller& caller, const grapnel_Event*) {
      return checkpoints(caller).pin(caller.host, text(std::string_view(toy.file(0))),
                                     text(std::string_view("upload")));
    });
    toy.fit_with(plugin.handle());
    toy.trainer.reset();
  };
  pinned();
  CHECK_FALSE(CheckpointPin::holds(toy.file(0)));
}

TEST_CASE("a path or a reason that is none is refused") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_fit_start, [](const Caller& caller, const grapnel_Event*) {
    const grapnel_checkpoint& table = checkpoints(caller);
    const auto pin = [&](std::string_view path, std::string_view reason) {
      return table.pin(caller.host, text(path), text(reason));
    };
    CHECK(pin("", "reason") == GRAPNEL_INVALID_ARGUMENT);
    CHECK(pin("a.ckpt", "") == GRAPNEL_INVALID_ARGUMENT);
    CHECK(pin(std::string_view("a\0b", 3), "reason") == GRAPNEL_INVALID_ARGUMENT);
    CHECK(table.unpin(caller.host, text(std::string_view(""))) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
}

// ---- Through the wrapper

namespace {

struct Found {
  std::optional<std::string> before, last, making;
  std::optional<gp::BestCheckpoint> best;
  bool unpinned = false, unpinned_twice = true;
} found;

class Wrapped final : public gp::Callback {
 public:
  explicit Wrapped(const gp::Params&) {}
  void on_fit_start(Event& event) override { found.before = event.last_checkpoint(); }
  void on_save_checkpoint(SaveCheckpoint& event) override {
    found.making = event.checkpoint_in_the_making();
  }
  void on_checkpoint_written(CheckpointWritten& event) override {
    event.pin_checkpoint(event.path(), "to be read");
  }
  void on_fit_end(Event& event) override {
    found.last = event.last_checkpoint();
    found.best = event.best_checkpoint();
    found.unpinned = event.unpin_checkpoint(*found.last);
    found.unpinned_twice = event.unpin_checkpoint(*found.last);
  }
};

}  // namespace

TEST_CASE("the wrapper finds and pins checkpoints") {
  const InProcessPlugin described;  // for a manifest
  static constexpr grapnel_factory factory = gp::callback<Wrapped>("probe");
  found = {};
  Saving toy;
  toy.options.max_epochs = 2;
  toy.fit_with(
      as_plugin(std::make_shared<bridge::PluginCallback>(described.manifest(), "probe", factory)));
  CHECK_FALSE(found.before.has_value());
  CHECK(found.last == toy.file(1));
  CHECK(found.making == toy.file(1));
  REQUIRE(found.best.has_value());
  CHECK(found.best->path == toy.file(1));
  CHECK(std::isnan(found.best->value));
  CHECK(found.unpinned);
  CHECK_FALSE(found.unpinned_twice);
  CHECK(toy.files() == std::set<std::string>{"epoch=0.ckpt", "epoch=1.ckpt"});
}

}  // namespace checkpoint_test
