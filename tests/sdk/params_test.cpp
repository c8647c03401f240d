// Parameters reach the plugin as plugin.json declares them.
#include "catch.h"
#include "wrapped.h"

namespace params_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;
using grapnel::plugin::Params;

namespace {

using Body = void (*)(const Params&);
Body body = nullptr;

struct Reader final : Callback {
  explicit Reader(const Params& params) { body(params); }
};

void read(RecordingHost& host, Body what) {
  body = what;
  RunningCallback running(host, plugin_of<Reader>(), "it");
}

}  // namespace

TEST_CASE("the type of a parameter follows the fallback's") {
  RecordingHost host;
  host.params = {{"patience", std::int64_t{7}},
                 {"ratio", 0.5},
                 {"verbose", true},
                 {"mode", std::string("max")}};
  read(host, [](const Params& params) {
    const std::int64_t patience = params.get("patience", 1);
    CHECK(patience == 7);
    CHECK(params.get("ratio", 0.1) == 0.5);
    CHECK(params.get("ratio", 0.1f) == 0.5);
    CHECK(params.get("verbose", false));
    CHECK(params.get("mode", "min") == "max");
    CHECK(params.get<std::string>("mode") == "max");
  });
}

TEST_CASE("list parameters are std::vectors") {
  RecordingHost host;
  host.params = {{"steps", std::vector<std::int64_t>{1, 2}},
                 {"factors", std::vector<double>{0.5}},
                 {"names", std::vector<std::string>{"a", "b"}},
                 {"flags", std::vector<bool>{true, false}},
                 {"none", std::vector<double>{}}};
  read(host, [](const Params& params) {
    CHECK(params.get<std::vector<std::int64_t>>("steps") == std::vector<std::int64_t>{1, 2});
    CHECK(params.get<std::vector<double>>("factors") == std::vector<double>{0.5});
    CHECK(params.get("names", std::vector<std::string>{}) == std::vector<std::string>{"a", "b"});
    CHECK(params.get<std::vector<bool>>("flags") == std::vector<bool>{true, false});
    CHECK(params.get<std::vector<double>>("none").empty());
  });
}

TEST_CASE("a null parameter gives the fallback, std::nullopt, or an error") {
  RecordingHost host;
  host.params = {{"limit", std::monostate{}}};
  read(host, [](const Params& params) {
    CHECK(params.get("limit", 3) == 3);
    CHECK_FALSE(params.find<double>("limit").has_value());
    CHECK_FALSE(params.find<std::vector<double>>("limit").has_value());
    CHECK_THROWS_WITH(params.get<double>("limit"), "parameter 'limit' has no value");
  });
}

TEST_CASE("a misspelt parameter is an error, not its fallback") {
  RecordingHost host;
  host.params = {{"patience", std::int64_t{7}}};
  CHECK_THROWS_WITH(
      read(host, [](const Params& params) { params.get("patiense", 1); }),
      "create: plugin.json doesn't declare a parameter 'patiense' that is an integer");
}

TEST_CASE("a parameter of another type is an error that says which was wanted") {
  RecordingHost host;
  host.params = {{"mode", std::string("max")}};
  CHECK_THROWS_WITH(read(host, [](const Params& params) { params.get("mode", true); }),
                    "create: plugin.json doesn't declare a parameter 'mode' that is a boolean");
}

TEST_CASE("an integer may be read as a number") {
  RecordingHost host;
  host.params = {{"decay", std::int64_t{1}}};
  read(host, [](const Params& params) { CHECK(params.get("decay", 0.5) == 1.0); });
}

}  // namespace params_test
