// Extension state: what a plugin keeps in checkpoints comes back bit by bit, is never lost, and a load that
// fails is an error that names both versions. What is refused is in state_contract_test.cpp.
#include <grapnel/ext/state.h>

#include <cmath>
#include <limits>

#include <grapnel/base/error.h>
#include <grapnel/checkpoint.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace state_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

grapnel_string name(const char* value) {
  return text(std::string_view(value));
}

constexpr const char* kKey = "probe/probe/default";

// Saves one of each kind.
std::int32_t save_everything(const Caller& caller, const grapnel_state_writer* writer) {
  grapnel_tensor* tensor = caller.floats({1.5f, -0.0f, std::nanf("")});
  const std::int64_t sizes[] = {2, 2};
  const std::int64_t array[] = {1, 2, 3, 4};
  CHECK(writer->put_tensor(writer, name("layers.0.weight"), tensor) == GRAPNEL_OK);
  CHECK(writer->put_array(writer, name("array"), GRAPNEL_DTYPE_I64, sizes, 2, array,
                          sizeof array) == GRAPNEL_OK);
  CHECK(writer->put_i64(writer, name("big"), std::numeric_limits<std::int64_t>::min()) ==
        GRAPNEL_OK);
  CHECK(writer->put_f64(writer, name("third"), 1.0 / 3) == GRAPNEL_OK);
  CHECK(writer->put_f64(writer, name("infinite"), -std::numeric_limits<double>::infinity()) ==
        GRAPNEL_OK);
  CHECK(writer->put_string(writer, name("text"), name("größer {}.")) == GRAPNEL_OK);
  CHECK(writer->put_bytes(writer, name("bytes"), "\0\xff\x01", 3) == GRAPNEL_OK);
  // Copied at once: what happens to the memory now does not matter.
  void* data = nullptr;
  std::uint64_t size = 0;
  caller.tensors().begin_write(caller.host, tensor, &data, &size);
  static_cast<float*>(data)[0] = 99;
  caller.tensors().end_write(caller.host, tensor);
  return caller.tensors().release(caller.host, tensor);
}

void check_everything(const Caller& caller, const grapnel_state_reader* reader) {
  grapnel_tensor *tensor = nullptr, *array = nullptr;
  std::int64_t big = 0;
  double third = 0, infinite = 0;
  grapnel_string kept{};
  const void* bytes = nullptr;
  std::uint64_t size = 0, count = 0;
  REQUIRE(reader->get_tensor(reader, name("layers.0.weight"), &tensor) == GRAPNEL_OK);
  const std::vector<double> values = caller.values(tensor);
  CHECK(values[0] == 1.5);
  CHECK(std::signbit(values[1]));
  CHECK(std::isnan(values[2]));
  REQUIRE(reader->get_tensor(reader, name("array"), &array) == GRAPNEL_OK);
  CHECK(caller.values(array) == std::vector<double>{1, 2, 3, 4});
  CHECK(caller.describe(array).ndim == 2);
  CHECK(reader->get_i64(reader, name("big"), &big) == GRAPNEL_OK);
  CHECK(big == std::numeric_limits<std::int64_t>::min());
  CHECK(reader->get_f64(reader, name("third"), &third) == GRAPNEL_OK);
  CHECK(third == 1.0 / 3);
  CHECK(reader->get_f64(reader, name("infinite"), &infinite) == GRAPNEL_OK);
  CHECK(infinite == -std::numeric_limits<double>::infinity());
  CHECK(reader->get_string(reader, name("text"), &kept) == GRAPNEL_OK);
  CHECK(text(kept) == "größer {}.");
  REQUIRE(reader->get_bytes(reader, name("bytes"), &bytes, &size) == GRAPNEL_OK);
  CHECK(std::string(static_cast<const char*>(bytes), size) == std::string("\0\xff\x01", 3));

  CHECK(reader->get_i64(reader, name("nothing"), &big) == GRAPNEL_NOT_FOUND);
  CHECK(reader->get_i64(reader, name("text"), &big) == GRAPNEL_INVALID_ARGUMENT);
  CHECK(reader->get_bytes(reader, name("array"), &bytes, &size) == GRAPNEL_INVALID_ARGUMENT);
  CHECK(reader->get_tensor(reader, name("bytes"), &tensor) == GRAPNEL_INVALID_ARGUMENT);
  CHECK(reader->count(reader, &count) == GRAPNEL_OK);
  CHECK(count == 7);
  const auto type_of = [&](const char* entry) {
    std::int32_t type = -1;
    CHECK(reader->type(reader, name(entry), &type) == GRAPNEL_OK);
    return type;
  };
  CHECK(type_of("layers.0.weight") == GRAPNEL_STATE_TYPE_TENSOR);
  CHECK(type_of("array") == GRAPNEL_STATE_TYPE_TENSOR);
  CHECK(type_of("big") == GRAPNEL_STATE_TYPE_I64);
  CHECK(type_of("third") == GRAPNEL_STATE_TYPE_F64);
  CHECK(type_of("text") == GRAPNEL_STATE_TYPE_STRING);
  CHECK(type_of("bytes") == GRAPNEL_STATE_TYPE_BYTES);
  std::int32_t type = -1;
  CHECK(reader->type(reader, name("nothing"), &type) == GRAPNEL_NOT_FOUND);
  CHECK(type == -1);
  grapnel_string key{};
  CHECK(reader->key(reader, 0, &key) == GRAPNEL_OK);
  CHECK(text(key) == "layers.0.weight");
  CHECK(reader->key(reader, 7, &key) == GRAPNEL_NOT_FOUND);
  caller.tensors().release(caller.host, array);
  caller.tensors().release(caller.host, tensor);
}

// A plugin with one number as its state.
struct Counting {
  InProcessPlugin plugin;
  std::int64_t number = 0;
  std::string version_that_wrote;

  explicit Counting(const std::string& version = "1.2.3", const std::string& id = "probe")
      : plugin("{}", version, id) {
    plugin.on(Hook::on_train_batch_end, [this](const Caller&, const grapnel_Event*) {
      ++number;
      return GRAPNEL_OK;
    });
    plugin.save = [this](const Caller&, const grapnel_state_writer* writer) {
      return writer->put_i64(writer, name("number"), number);
    };
    plugin.load = [this](const Caller&, const grapnel_state_reader* reader) {
      version_that_wrote = text(reader->version);
      return reader->get_i64(reader, name("number"), &number);
    };
  }
};

}  // namespace

TEST_CASE("plugin state of every type is restored from a checkpoint file bit by bit") {
  TempDir directory;
  const std::filesystem::path file = directory / "a.ckpt";
  {
    InProcessPlugin plugin;
    plugin.save = save_everything;
    Toy toy;
    toy.options.default_root_dir = directory.path();
    toy.fit({plugin.handle()});
    toy.trainer->save_checkpoint(file);
  }
  const StateDict checkpoint = load_checkpoint_file(file);
  const StateDict& state = checkpoint.at("callbacks").to_dict().at(kKey).to_dict();
  CHECK(state.at("version").to_string() == "1.2.3");
  CHECK(state.at("keep_if_absent").to_bool());

  bool loaded = false;
  InProcessPlugin plugin;
  plugin.save = save_everything;
  plugin.load = [&](const Caller& caller, const grapnel_state_reader* reader) {
    check_everything(caller, reader);
    loaded = true;
    return GRAPNEL_OK;
  };
  Toy toy;
  toy.options.max_epochs = 2;
  toy.fit({plugin.handle()}, {.ckpt_path = file.string()});
  CHECK(loaded);
}

TEST_CASE("a resumed plugin has its state, and gets the version that wrote it") {
  TempDir directory;
  const std::filesystem::path file = directory / "a.ckpt";
  Counting first("1.0.0"), second("2.0.0");
  Toy toy;
  toy.fit({first.plugin.handle()});
  toy.trainer->save_checkpoint(file);
  toy.options.max_epochs = 2;
  toy.fit({second.plugin.handle()}, {.ckpt_path = file.string()});
  CHECK(second.version_that_wrote == "1.0.0");
  CHECK(second.number == 8);
}

TEST_CASE("a renamed plugin takes over the state of its former id") {
  TempDir directory;
  CapturedLog log;
  Counting before("1.0.0"), after("2.0.0", "renamed");
  Toy toy;
  toy.fit({before.plugin.handle()});
  toy.trainer->save_checkpoint(directory / "before.ckpt");
  toy.options.max_epochs = 2;
  toy.fit({after.plugin.handle()}, {.ckpt_path = (directory / "before.ckpt").string()});
  CHECK(after.version_that_wrote == "1.0.0");
  CHECK(after.number == 8);
  const StateDict states = toy.trainer->dump_checkpoint().at("callbacks").to_dict();
  CHECK(states.contains("renamed/probe/default"));
  CHECK(!states.contains(kKey));
  CHECK(log.count("not here now") == 0);
}

TEST_CASE("the state of a plugin that is absent is kept and written again") {
  TempDir directory;
  CapturedLog log;
  Counting first, third;
  Toy toy;
  toy.fit({first.plugin.handle()});
  toy.trainer->save_checkpoint(directory / "with.ckpt");
  toy.options.max_epochs = 2;
  toy.fit({}, {.ckpt_path = (directory / "with.ckpt").string()});
  toy.trainer->save_checkpoint(directory / "without.ckpt");
  CHECK_THAT(log.text(), Catch::Contains("warning") && Catch::Contains(kKey));
  toy.options.max_epochs = 3;
  toy.fit({third.plugin.handle()}, {.ckpt_path = (directory / "without.ckpt").string()});
  CHECK(third.number == 4 + 4);
}

TEST_CASE("a value that no plugin put has a type, and asking for it breaks no contract") {
  CapturedLog log;
  InProcessPlugin plugin;
  int asked = 0;
  plugin.save = [](const Caller&, const grapnel_state_writer*) { return GRAPNEL_OK; };
  plugin.load = [&](const Caller&, const grapnel_state_reader* reader) {
    for (const char* entry : {"flag", "list", "undefined"}) {
      std::int32_t type = -1;
      CHECK(reader->type(reader, name(entry), &type) == GRAPNEL_OK);
      CHECK(type == GRAPNEL_STATE_TYPE_OTHER);
      ++asked;
    }
    return GRAPNEL_OK;
  };
  const StateDict state = {{"flag", true}, {"list", StateList()}, {"undefined", at::Tensor()}};
  plugin.make()->load_state_dict({{"version", std::string("1.0.0")}, {"state", state}});
  CHECK(asked == 3);
  CHECK(log.count("broke the contract") == 0);
}

TEST_CASE("a key from a checkpoint drives no terminal") {
  struct Strange final : Callback {
    explicit Strange(bool keep) : keep_(keep) {}
    std::string state_key() const override {
      return (keep_ ? "kept" : "unknown") + std::string("\n\x1b[31mgrapnel: all is well");
    }
    StateDict state_dict() const override { return {{"keep_if_absent", keep_}}; }
    bool keep_;
  };
  TempDir directory;
  CapturedLog log;
  Toy toy;
  toy.fit({std::make_shared<Strange>(true), std::make_shared<Strange>(false)});
  toy.trainer->save_checkpoint(directory / "a.ckpt");
  toy.options.max_epochs = 2;
  toy.fit({}, {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK_THAT(log.text(),
             Catch::Contains("kept\\n\\x1b[31m") && Catch::Contains("unknown\\n\\x1b[31m"));
  CHECK_THAT(log.text(), !Catch::Contains("\x1b"));
}

TEST_CASE("a state that a plugin refuses to load is an error naming the plugin and both versions") {
  TempDir directory;
  const std::filesystem::path file = directory / "a.ckpt";
  Counting first("1.0.0"), second("2.0.0");
  second.plugin.load = [](const Caller& caller, const grapnel_state_reader*) {
    caller.fail("it smells of fish");
    return GRAPNEL_ERROR;
  };
  Counting third("3.0.0");
  Toy toy;
  toy.fit({first.plugin.handle()});
  toy.trainer->save_checkpoint(file);
  CHECK_THROWS_AS(toy.fit({second.plugin.handle()}, {.ckpt_path = file.string()}), CheckpointError);
  third.plugin.load = second.plugin.load;
  CHECK_THROWS_WITH(toy.fit({third.plugin.handle()}, {.ckpt_path = file.string()}),
                    Catch::Contains("plugin 'probe' 3.0.0") && Catch::Contains("version 1.0.0") &&
                        Catch::Contains("it smells of fish"));
}

TEST_CASE("a plugin has its state from before again when another one refuses the checkpoint") {
  TempDir directory;
  const std::filesystem::path file = directory / "a.ckpt";
  {
    Counting first("1.0.0"), second("1.0.0", "second");
    Toy toy;
    toy.fit({first.plugin.handle(), second.plugin.handle()});
    toy.trainer->save_checkpoint(file);
  }
  Counting first("1.0.0"), second("1.0.0", "second");
  InProcessPlugin kept("{}", "1.0.0", "kept");  // its plugin has no state of its own
  Toy toy;
  first.number = 17;
  second.plugin.load = [](const Caller& caller, const grapnel_state_reader*) {
    caller.fail("not mine");
    return GRAPNEL_ERROR;
  };
  toy.options.max_epochs = 2;
  const CapturedLog log;
  CHECK_THROWS_WITH(toy.fit({kept.handle(), first.plugin.handle(), second.plugin.handle()},
                            {.ckpt_path = file.string()}),
                    Catch::Contains("not mine") && Catch::Contains(file.string()));
  CHECK(first.version_that_wrote == "1.0.0");
  CHECK(first.number == 17);
  CHECK(log.count("keeps the state") == 0);
}

TEST_CASE(
    "a state with the greatest allowed number of entries is restored, and one more entry is "
    "refused") {
  const auto key_of = [](std::uint64_t i) { return "layers." + std::to_string(i) + ".number"; };
  InProcessPlugin plugin;
  bool read = false;
  plugin.save = [&](const Caller&, const grapnel_state_writer* writer) {
    for (std::uint64_t i = 0; i < GRAPNEL_STATE_MAX_ENTRIES; ++i) {
      const std::string key = key_of(i);
      REQUIRE(writer->put_i64(writer, text(std::string_view(key)), static_cast<std::int64_t>(i)) ==
              GRAPNEL_OK);
    }
    CHECK(writer->put_i64(writer, name("layers.7.number"), 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(writer->put_i64(writer, name("one more"), 1) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  };
  plugin.load = [&](const Caller&, const grapnel_state_reader* reader) {
    for (std::uint64_t i = 0; i < GRAPNEL_STATE_MAX_ENTRIES; ++i) {
      const std::string key = key_of(i);
      std::int64_t number = -1;
      REQUIRE(reader->get_i64(reader, text(std::string_view(key)), &number) == GRAPNEL_OK);
      REQUIRE(number == static_cast<std::int64_t>(i));
    }
    read = true;
    return GRAPNEL_OK;
  };
  const auto callback = plugin.make();
  const StateDict state = callback->state_dict();
  CHECK(state.at("state").to_dict().size() == GRAPNEL_STATE_MAX_ENTRIES);
  callback->load_state_dict(state);
  CHECK(read);
}

TEST_CASE("a state key is the user's name, else the plugin's, else made of its parameters") {
  const char* table = R"({
    "tag": {"type": "string", "default": "a", "identifying": true, "doc": "A tag."},
    "other": {"type": "integer", "default": 1, "doc": "Another."}})";
  InProcessPlugin plain;
  CHECK(plain.make()->state_key() == "probe/probe/default");
  CHECK(plain.make({.name = "mine"})->state_key() == "probe/probe/mine");

  InProcessPlugin identifying(table);
  CHECK(identifying.make()->state_key() == R"(probe/probe/{"tag":"a"})");
  CHECK(identifying.make({.parameters = parse_json(R"({"tag": "b", "other": 5})", "t")})
            ->state_key() == R"(probe/probe/{"tag":"b"})");

  InProcessPlugin own(table);
  own.key = "of its own";
  own.save = [](const Caller&, const grapnel_state_writer*) { return GRAPNEL_OK; };
  CHECK(own.make()->state_key() == "probe/probe/of its own");
  CHECK(own.make({.name = "mine"})->state_key() == "probe/probe/mine");
  for (const std::string& bad :
       {std::string("a\nb"), std::string("a\0b", 3), std::string("\xff"), std::string(513, 'k')}) {
    own.key = bad;
    CHECK_THROWS_WITH(own.make(), Catch::Contains("plugin 'probe' 1.2.3") &&
                                      Catch::Contains("its state key is not 1 to 512 bytes"));
  }
}

TEST_CASE(
    "two instances with one state key are refused before the run, with two names they are not") {
  Counting plugin;
  Toy toy;
  CHECK_THROWS_AS(toy.fit({plugin.plugin.handle(), plugin.plugin.handle()}), ConfigError);
  toy.fit({plugin.plugin.handle({.name = "one"}), plugin.plugin.handle({.name = "two"})});
}

}  // namespace state_test
