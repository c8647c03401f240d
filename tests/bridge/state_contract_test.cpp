// Extension state: what a plugin may not put, keep or read, and states in a checkpoint that no plugin
// wrote.
#include <grapnel/ext/state.h>

#include <cmath>
#include <limits>
#include <thread>

#include <grapnel/base/error.h>
#include <grapnel/checkpoint.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace state_contract_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

grapnel_string name(const char* value) {
  return text(std::string_view(value));
}

constexpr const char* kKey = "probe/probe/default";

}  // namespace

TEST_CASE("an invalid state is refused when the plugin writes it") {
  InProcessPlugin plugin;
  plugin.save = [](const Caller&, const grapnel_state_writer* writer) {
    const std::string long_key(513, 'k');
    CHECK(writer->put_i64(writer, name("once"), 1) == GRAPNEL_OK);
    CHECK(writer->put_i64(writer, name("once"), 2) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name(""), 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name("a\nb"), 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name("\xff"), 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name(long_key.c_str()), 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_string(writer, name("bad"), name("\xc3\x28")) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_tensor(writer, name("none"), nullptr) == GRAPNEL_INVALID_ARGUMENT);
    const std::vector<char> much(std::size_t{1} << 25);
    CHECK(writer->put_bytes(writer, name("half"), much.data(), much.size()) == GRAPNEL_OK);
    CHECK(writer->put_bytes(writer, name("rest"), much.data(), much.size()) ==
          GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  };
  const auto callback = plugin.make();
  const StateDict state = callback->state_dict();
  CHECK(state.at("state").to_dict().size() == 2);
}

TEST_CASE("a value that was refused takes nothing of the room for a state") {
  InProcessPlugin plugin;
  plugin.save = [](const Caller&, const grapnel_state_writer* writer) {
    CHECK(writer->put_bytes(writer, name("huge"), "x", GRAPNEL_STATE_MAX_BYTES + 1) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_bytes(writer, name("endless"), "x", ~std::uint64_t{0}) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_string(writer, name("text"), {"x", ~std::uint64_t{0} - 4}) ==
          GRAPNEL_INVALID_ARGUMENT);
    const std::int64_t sizes[] = {std::int64_t{1} << 40, std::int64_t{1} << 40};
    CHECK(writer->put_array(writer, name("array"), GRAPNEL_DTYPE_F32, sizes, 2, "x", 4) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_array(writer, name("array"), 99, sizes, 2, "x", 4) == GRAPNEL_UNSUPPORTED);
    const std::int64_t empty[] = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
    CHECK(writer->put_array(writer, name("empty"), GRAPNEL_DTYPE_F32, empty, 3, "", 0) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name("small"), 1) == GRAPNEL_OK);
    return GRAPNEL_OK;
  };
  const StateDict state = plugin.make()->state_dict();
  CHECK(state.at("state").to_dict().size() == 1);
}

TEST_CASE("a tensor that a checkpoint cannot hold is refused when the plugin puts it") {
  CapturedLog log;
  TempDir directory;
  InProcessPlugin plugin;
  plugin.save = [](const Caller& caller, const grapnel_state_writer* writer) {
    grapnel_tensor* dense = caller.floats({1, 0, 2});
    std::vector<grapnel_value> sparse(1);
    CHECK(caller.call("aten::to_sparse", "", {value_of(dense), none(), none(), none()}, sparse) ==
          GRAPNEL_OK);
    CHECK(writer->put_tensor(writer, name("sparse"), sparse[0].u.tensor) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_tensor(writer, name("dense"), dense) == GRAPNEL_OK);
    CHECK(caller.tensors().release(caller.host, sparse[0].u.tensor) == GRAPNEL_OK);
    return caller.tensors().release(caller.host, dense);
  };
  Toy toy;
  toy.fit({plugin.handle()});
  toy.trainer->save_checkpoint(directory / "a.ckpt");
  CHECK(log.count("[probe] broke the contract of state.put_tensor in state.save: the tensor is "
                  "sparse") == 1);
  CHECK(load_checkpoint_file(directory / "a.ckpt")
            .at("callbacks")
            .to_dict()
            .at(kKey)
            .to_dict()
            .at("state")
            .to_dict()
            .size() == 1);
}

TEST_CASE("a writer or reader that a plugin keeps does nothing after save or load returned") {
  const grapnel_state_writer* kept_writer = nullptr;
  const grapnel_state_reader* kept_reader = nullptr;
  InProcessPlugin plugin;
  plugin.save = [&](const Caller&, const grapnel_state_writer* writer) {
    kept_writer = writer;
    return writer->put_i64(writer, name("number"), 1);
  };
  plugin.load = [&](const Caller&, const grapnel_state_reader* reader) {
    kept_reader = reader;
    return GRAPNEL_OK;
  };
  bool tried = false;
  plugin.on(Hook::on_train_start, [&](const Caller&, const grapnel_Event*) {
    std::int64_t number = 0;
    std::uint64_t count = 0;
    grapnel_string key{};
    CHECK(kept_writer->put_i64(kept_writer, name("late"), 1) == GRAPNEL_NOT_NOW);
    CHECK(kept_reader->get_i64(kept_reader, name("number"), &number) == GRAPNEL_NOT_NOW);
    CHECK(kept_reader->count(kept_reader, &count) == GRAPNEL_NOT_NOW);
    CHECK(kept_reader->key(kept_reader, 0, &key) == GRAPNEL_NOT_NOW);
    tried = true;
    return GRAPNEL_OK;
  });
  {
    const CallbackHandle handle = plugin.handle();
    handle.callback->load_state_dict(handle.callback->state_dict());
    Toy toy;
    toy.fit({handle});
    CHECK(tried);
    CHECK(handle.callback->state_dict().at("state").to_dict().size() == 1);
  }
  // Nor after destroy, on any thread.
  std::uint64_t count = 0;
  CHECK(kept_reader->count(kept_reader, &count) == GRAPNEL_NOT_NOW);
  std::thread([&] {
    CHECK(kept_writer->put_i64(kept_writer, name("late"), 1) == GRAPNEL_NOT_NOW);
  }).join();
}

TEST_CASE("a state in a checkpoint that no plugin wrote is an error naming the plugin") {
  InProcessPlugin plugin;
  plugin.save = [](const Caller&, const grapnel_state_writer*) { return GRAPNEL_OK; };
  plugin.load = [](const Caller&, const grapnel_state_reader*) { return GRAPNEL_OK; };
  const auto callback = plugin.make();
  const StateDict bad[] = {
      {{"version", "1.0.0"}},
      {{"state", StateDict()}},
      {{"version", 3}, {"state", StateDict()}},
      {{"version", "1.0.0"}, {"state", 3}},
  };
  for (const StateDict& state : bad) {
    CHECK_THROWS_WITH(
        callback->load_state_dict(state),
        Catch::Contains("plugin 'probe' 1.2.3") && Catch::Contains("not a plugin's state"));
  }
}

TEST_CASE("bytes in a checkpoint are given only if they are bytes") {
  InProcessPlugin plugin;
  int refused = 0;
  plugin.save = [](const Caller&, const grapnel_state_writer*) { return GRAPNEL_OK; };
  plugin.load = [&](const Caller&, const grapnel_state_reader* reader) {
    const void* data = nullptr;
    std::uint64_t size = 0, count = 0;
    CHECK(reader->count(reader, &count) == GRAPNEL_OK);
    for (std::uint64_t i = 0; i < count; ++i) {
      grapnel_string key{};
      grapnel_tensor* tensor = nullptr;
      CHECK(reader->key(reader, i, &key) == GRAPNEL_OK);
      if (reader->get_bytes(reader, key, &data, &size) == GRAPNEL_INVALID_ARGUMENT) ++refused;
      CHECK(reader->get_tensor(reader, key, &tensor) == GRAPNEL_INVALID_ARGUMENT);
    }
    return GRAPNEL_OK;
  };
  const at::Tensor bytes = at::zeros({4, 4}, at::kByte);
  plugin.make()->load_state_dict(
      {{"version", "1.0.0"},
       {"state", StateDict{{"numbers", StateDict{{"bytes", at::zeros({4})}}},
                           {"strided", StateDict{{"bytes", bytes.select(1, 0)}}},
                           {"matrix", StateDict{{"bytes", bytes}}},
                           {"nothing", StateDict{{"bytes", at::Tensor()}}},
                           {"undefined", at::Tensor()}}}});
  CHECK(refused == 5);
}

}  // namespace state_contract_test
