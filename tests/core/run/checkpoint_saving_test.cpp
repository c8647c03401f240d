// How checkpoints are written: at once, or by a thread while the training continues.
#include <grapnel/base/error.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/checkpoint.h>

#include <c10/core/GradMode.h>

#include <cerrno>
#include <thread>

#include "captured_log.h"
#include "catch.h"
#include "temp_dir.h"
#include "toy.h"

namespace checkpoint_saving_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A layer that is large enough to be shared with the writer instead of copied, and what it learns.
class WideModule : public ToyModule {
 public:
  explicit WideModule(bool fused) : fused_(fused) {
    wide = at::sin(at::arange(300 * 200, at::kFloat)).view({300, 200}).set_requires_grad(true);
    view_.add({"wide", wide});
  }
  at::Tensor forward(const at::Tensor& x) override {
    return ToyModule::forward(x) + at::tanh(wide).mean();
  }
  OptimizerConfig configure_optimizers() override {
    const std::vector<at::Tensor> params = {weight, bias, wide};
    if (fused_) return std::make_shared<Adam>(params, AdamOptions{.lr = 0.05});
    return std::make_shared<SGD>(params, SGDOptions{.lr = 0.05, .momentum = 0.9});
  }

  at::Tensor wide;

 private:
  bool fused_;
};

// Calls a function at the end of each batch, and notes the files that were written.
class AtBatchEnd final : public Callback {
 public:
  explicit AtBatchEnd(std::function<void(TrainBatchEnd&)> act) : act_(std::move(act)) {}
  void on_train_batch_end(TrainBatchEnd& event) override { act_(event); }
  void on_checkpoint_written(CheckpointWritten& event) override {
    written.push_back("written " + event.path.filename().string());
    CHECK(fs::exists(event.path));
    CHECK(std::this_thread::get_id() == thread_);
  }
  std::vector<std::string> written;

 private:
  std::function<void(TrainBatchEnd&)> act_;
  std::thread::id thread_ = std::this_thread::get_id();
};

TrainerOptions asynchronous(std::int64_t max_epochs, const TempDir& directory) {
  TrainerOptions options = quiet(max_epochs);
  options.checkpoint_saving = CheckpointSaving::asynchronous;
  options.default_root_dir = directory / "root";
  return options;
}

StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [key, value] : state) {
    if (value.is_tensor()) {
      copy[key] = value.to_tensor().clone();
    } else if (value.is_dict()) {
      copy[key] = copy_of(value.to_dict());
    } else if (value.is_list()) {
      StateDict items;
      for (const StateValue& item : value.to_list()) items[std::to_string(items.size())] = item;
      copy[key] = copy_of(items);
    }
  }
  return copy;
}

// Tensors of `expected` that differ in `found`.
std::vector<std::string> differences(const StateDict& expected, const StateDict& found) {
  std::vector<std::string> names;
  const StateDict other = copy_of(found);
  for (const auto& [key, value] : expected) {
    if (value.is_tensor()) {
      if (!at::equal(value.to_tensor(), other.at(key).to_tensor())) names.push_back(key);
    } else {
      for (const std::string& name : differences(value.to_dict(), other.at(key).to_dict())) {
        names.push_back(key + "." + name);
      }
    }
  }
  return names;
}

}  // namespace

TEST_CASE(
    "a checkpoint that a thread writes holds the state at its start, whatever changes it next") {
  const bool fused = GENERATE(false, true);
  INFO("fused " << fused);
  const TempDir directory;
  WideModule module(fused);
  std::vector<StateDict> expected;
  const auto file = [&](std::size_t i) { return directory / (std::to_string(i) + ".ckpt"); };
  const auto callback = std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
    Trainer& trainer = event.trainer;
    expected.push_back(copy_of(trainer.dump_checkpoint()));
    trainer.start_checkpoint(file(expected.size() - 1));
    // At once, in three ways: in place, through a pointer, and by the optimizer's next step.
    const c10::AutoGradMode without_grad(false);
    module.wide.slice(0, 0, 100).mul_(1.5);
    module.wide.data_ptr<float>()[module.wide.numel() - 1] += 1;
  });
  Trainer trainer(asynchronous(3, directory), {callback});
  trainer.fit(module, toy_data(5));
  REQUIRE(expected.size() == 15);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(i);
    const StateDict saved = load_checkpoint_file(file(i));
    for (const char* part : {"state_dict", "optimizer_states"}) {
      const StateDict wanted = expected[i].at(part).to_dict();
      StateDict found;
      found[part] = saved.at(part);
      CHECK(differences(wanted, copy_of(found).at(part).to_dict()).empty());
    }
    CHECK(saved.at("global_step").to_int() == static_cast<std::int64_t>(i + 1));
  }
  CHECK(callback->written.size() == 15);
}

TEST_CASE("memory that a writing thread has read is given back by the training's own thread") {
  const TempDir directory;
  WideModule module(/*fused=*/false);
  std::vector<bool> was_copied;
  const auto callback = std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
    if (event.batch_idx == 0) {
      event.trainer.start_checkpoint(directory / "a.ckpt");
      while (!fs::exists(directory / "a.ckpt")) std::this_thread::yield();
    }
    // LibTorch copies on this access while another tensor shares the memory.
    const void* const shared = module.wide.const_data_ptr();
    was_copied.push_back(module.wide.data_ptr() != shared);
  });
  Trainer trainer(asynchronous(1, directory), {callback});
  trainer.fit(module, toy_data(3));
  CHECK(was_copied == std::vector{true, false, false});
}

TEST_CASE("a training whose checkpoints a thread writes ends with the same bits") {
  const auto trained = [](CheckpointSaving saving) {
    const TempDir directory;
    WideModule module(true);
    const auto callback = std::make_shared<AtBatchEnd>(
        [&](TrainBatchEnd& event) { event.trainer.start_checkpoint(directory / "a.ckpt"); });
    TrainerOptions options = asynchronous(4, directory);
    options.checkpoint_saving = saving;
    Trainer trainer(options, {callback});
    trainer.fit(module, toy_data(5));
    return module.wide.detach().clone();
  };
  CHECK(at::equal(trained(CheckpointSaving::synchronous), trained(CheckpointSaving::asynchronous)));
}

TEST_CASE(
    "what follows a checkpoint comes after it is complete, in order, in the training's thread") {
  const bool in_thread = GENERATE(false, true);
  const TempDir directory;
  ToyModule module;
  const auto here = std::this_thread::get_id();
  std::shared_ptr<AtBatchEnd> callback;
  callback = std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
    const std::string name = std::to_string(event.batch_idx) + ".ckpt";
    event.trainer.start_checkpoint(directory / name);
    event.trainer.after_checkpoint([&, name] {
      CHECK(fs::exists(directory / name));
      CHECK(std::this_thread::get_id() == here);
      callback->written.push_back("after " + name);
    });
  });
  TrainerOptions options = asynchronous(1, directory);
  if (!in_thread) options.checkpoint_saving = {};
  Trainer trainer(options, {callback});
  trainer.fit(module, toy_data(3));
  CHECK(callback->written == std::vector<std::string>{"written 0.ckpt", "after 0.ckpt",
                                                      "written 1.ckpt", "after 1.ckpt",
                                                      "written 2.ckpt", "after 2.ckpt"});
}

TEST_CASE("save_checkpoint returns when the file is complete, also while a thread writes another") {
  const TempDir directory;
  WideModule module(false);
  Trainer trainer(asynchronous(1, directory),
                  {std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
                    event.trainer.start_checkpoint(directory / "a.ckpt");
                    event.trainer.save_checkpoint(directory / "b.ckpt");
                    CHECK(fs::exists(directory / "a.ckpt"));
                    CHECK(fs::exists(directory / "b.ckpt"));
                  })});
  trainer.fit(module, toy_data(2));
}

TEST_CASE("a checkpoint that a thread can't write ends the run with an error that names the file") {
  const TempDir directory;
  directory.write("a.ckpt/in the way", "");
  ToyModule module;
  int failures = 0;
  int batches = 0;
  const auto callback = std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
    ++batches;
    if (batches > 1) return;
    event.trainer.start_checkpoint(directory / "a.ckpt");
    event.trainer.after_checkpoint([] { FAIL("it was not written"); }, [&] { ++failures; });
  });
  Trainer trainer(asynchronous(50, directory), {callback});
  const CapturedLog log;
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(5)),
                    Contains("cannot write to '" + (directory / "a.ckpt").string() + "'") &&
                        Contains("the file is as it was before"));
  CHECK(failures == 1);
  CHECK(callback->written.empty());
  CHECK_THAT(log.text(), !Contains("another error"));
}

TEST_CASE(
    "the state of a run that ends because its file can't be written is saved elsewhere, and named") {
  const bool in_thread = GENERATE(false, true);
  const bool at_the_end = GENERATE(false, true);
  INFO(in_thread << at_the_end);
  const TempDir directory;
  directory.write("a.ckpt/in the way", "");
  fs::create_directory(directory / "root");
  class AtTheEnd final : public Callback {
   public:
    explicit AtTheEnd(std::string file) : file_(std::move(file)) {}
    void on_train_end(Event& event) override { event.trainer.start_checkpoint(file_); }

   private:
    std::string file_;
  };
  std::vector<CallbackHandle> callbacks;
  if (at_the_end) {
    callbacks.emplace_back(std::make_shared<AtTheEnd>((directory / "a.ckpt").string()));
  } else {
    callbacks.emplace_back(std::make_shared<AtBatchEnd>(
        [&](TrainBatchEnd& event) { event.trainer.start_checkpoint(directory / "a.ckpt"); }));
  }
  ToyModule module;
  TrainerOptions options = asynchronous(1, directory);
  if (!in_thread) options.checkpoint_saving = CheckpointSaving::synchronous;
  Trainer trainer(options, callbacks);
  const CapturedLog log;
  CHECK_THROWS_AS(trainer.fit(module, toy_data(3)), IoError);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory / "root"))
    files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  CHECK_THAT(files.front().filename().string(), Contains("rescued-") && Contains("-a.ckpt"));
  CHECK_THAT(log.text(), Contains("was saved to '" + files.front().string() + "' instead of"));
  const StateDict saved = load_checkpoint_file(files.front());
  CHECK(saved.at("global_step").to_int() == trainer.global_step());
  CHECK(at::equal(saved.at("state_dict").to_dict().at("weight").to_tensor(), module.weight));
}

TEST_CASE("a directory that is removed while a checkpoint is written is made again") {
  const bool in_thread = GENERATE(false, true);
  const auto when = GENERATE(Hook::on_save_checkpoint, Hook::on_checkpoint_written);
  const auto save_last = GENERATE(SaveLast::link, SaveLast::copy);
  INFO(in_thread << (when == Hook::on_save_checkpoint) << (save_last == SaveLast::link));
  const TempDir directory;
  // Removes all that is there while the file of the second epoch is written.
  class Remover final : public Callback {
   public:
    Remover(fs::path path, Hook when) : path_(std::move(path)), when_(when) {}
    void on_save_checkpoint(SaveCheckpoint& event) override {
      if (when_ == Hook::on_save_checkpoint) remove_once(event.trainer);
    }
    void on_checkpoint_written(CheckpointWritten& event) override {
      if (when_ == Hook::on_checkpoint_written) remove_once(event.trainer);
    }

   private:
    void remove_once(const Trainer& trainer) {
      if (trainer.current_epoch() == 1) fs::remove_all(std::exchange(path_, {}));
    }
    fs::path path_;
    Hook when_;
  };
  TrainerOptions options = asynchronous(3, directory);
  options.enable_checkpointing = true;
  if (!in_thread) options.checkpoint_saving = CheckpointSaving::synchronous;
  const auto writer = std::make_shared<ModelCheckpoint>(
      ModelCheckpointOptions{.dirpath = directory / "run/files", .save_last = save_last});
  ToyModule module;
  Trainer trainer(options, {std::make_shared<Remover>(directory / "run", when), writer});
  trainer.fit(module, toy_data(3));
  CHECK(load_checkpoint_file(directory / "run/files/last.ckpt").at("global_step").to_int() == 9);
  CHECK(load_checkpoint_file(writer->best_model_path()).at("global_step").to_int() == 9);
}

TEST_CASE("a failure that another file made good leaves nothing elsewhere") {
  const TempDir directory;
  directory.write("a.ckpt/in the way", "");
  fs::create_directory(directory / "root");
  ToyModule module;
  Trainer trainer(asynchronous(1, directory),
                  {std::make_shared<AtBatchEnd>([&](TrainBatchEnd& event) {
                    CHECK_THROWS_AS(event.trainer.save_checkpoint(directory / "a.ckpt"), IoError);
                    event.trainer.save_checkpoint(directory / "b.ckpt");
                    throw std::runtime_error("another reason");
                  })});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(3)), "another reason");
  CHECK(fs::is_empty(directory / "root"));
}

}  // namespace checkpoint_saving_test
