// The rows of OptionsTable: types and defaults from the struct, one validation for run.json and C++.
#include <catch.h>
#include <grapnel/base/options_table.h>

#include <functional>
#include <limits>

namespace {

using namespace grapnel;

enum class Mode { min, max };
enum class Profile { none, simple, full };

struct Theme {
  std::string bar = "red";
  int64_t width = 40;
};

struct Split {
  double share = 0.1;
  uint64_t seed = 7;
};

using Rate = std::function<double(int64_t)>;
struct ConstantRate {
  double value;
  double operator()(int64_t /*epoch*/) const { return value; }
};

struct Options {
  bool verbose = true;
  int64_t window = 10;
  double factor = 0.5;
  std::string label = {};
  std::filesystem::path directory = {};
  char delimiter = ',';
  Mode mode = Mode::max;
  Profile profile = Profile::none;
  std::optional<double> atol = {};
  std::optional<int64_t> every = 3;
  std::optional<double> duration = {};
  std::vector<int64_t> milestones = {1, 2};
  std::vector<double> rates = {0.25};
  std::vector<std::string> layers = {"*"};
  std::map<int64_t, double> schedule = {{4, 0.5}};
  std::variant<int64_t, double> amount = 0.5;
  std::optional<bool> checkpointing = {};
  ConfigValue optimizer = "Adam";
  Rate rate = ConstantRate{2.0};
  Theme theme = {};
  Split split = {};
};

// A constant of run.json; any function in C++.
struct RateType {
  static void describe(ParameterSpec& spec) { spec.types = {ParameterType::number}; }
  static Rate read(const ConfigValue& value) { return ConstantRate{value.as_double()}; }
  static std::optional<ConfigValue> write(const Rate& rate) {
    if (const auto* constant = rate.target<ConstantRate>()) return constant->value;
    return std::nullopt;
  }
  static void check(const Rate& rate) {
    if (!rate) throw ConfigError({}, "needs a function");
  }
};

// Accepts even numbers alone.
struct Even : OptionType<int64_t> {
  static void check(int64_t value) {
    if (value % 2 != 0) throw ConfigError::of("", "must be even, found {}", value);
  }
};

}  // namespace

namespace grapnel {

template <>
inline constexpr auto enum_names<Mode> = std::to_array<EnumName<Mode>>({{Mode::min, "min"},
                                                                        {Mode::max, "max"}});
template <>
inline constexpr auto enum_names<Profile> =
    std::to_array<EnumName<Profile>>({{Profile::simple, "simple"}, {Profile::full, "full"}});

}  // namespace grapnel

namespace {

const OptionsTable<Options>& table() {
  using O = Options;
  static const OptionsTable<Theme> theme(
      "theme", "Looks.",
      {option("bar", &Theme::bar).doc("Colour."),
       option("width", &Theme::width).at_least(1).doc("Width.")});
  static const OptionsTable<O> table(
      "thing", "A thing with every kind of option.",
      {option("verbose", &O::verbose).doc("Says more."),
       option("window", &O::window).at_least(1).at_most(100).unit("batches").doc("Losses."),
       option("factor", &O::factor).above(0).finite().doc("Factor."),
       option("label", &O::label).doc("Label."),
       option("directory", &O::directory).null_when_empty().doc("Directory."),
       option("delimiter", &O::delimiter).one_of({",", ";"}).doc("Between fields."),
       option("mode", &O::mode).identifying().doc("Direction."),
       option("profile", &O::profile).null_when_empty().doc("Profile."),
       option("atol", &O::atol).at_least(0).finite().doc("Tolerance."),
       option("every", &O::every).at_least(1).doc("How often."),
       option<Seconds>("duration", &O::duration).at_least(0).doc("How long."),
       option("milestones", &O::milestones).at_least(0).doc("When."),
       option<OneOrMore>("rates", &O::rates).above(0).doc("Rates."),
       option("layers", &O::layers).items(1, 3).doc("Layers."),
       option("schedule", &O::schedule).at_least(0).doc("By epoch."),
       option("amount", &O::amount).at_least(0).doc("Count or share."),
       option("checkpointing", &O::checkpointing).unset_is(true).doc("Write checkpoints."),
       option("optimizer", &O::optimizer).doc("Optimizer."),
       option<RateType>("rate", &O::rate).above(0).doc("Rate."),
       group("theme", &O::theme, theme).doc("Looks."),
       embed(&O::split, {option("share", &Split::share).at_least(0).below(1).doc("Share."),
                         option("split_seed", &Split::seed).at_least(0).doc("Seed.")})});
  return table;
}

Options read(const std::string& json) {
  return table().read(parse_json(json, "run.json"), "things.thing");
}

std::string refusal(const std::string& json) {
  try {
    read(json);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// The key and the text of the error for options set in C++.
std::pair<std::string, std::string> refusal(const Options& options) {
  try {
    table().check(options, "Thing");
  } catch (const ConfigError& error) {
    return {error.key, error.what()};
  }
  return {};
}

template <class Set>
std::pair<std::string, std::string> refusal_after(Set set) {
  Options options;
  set(options);
  return refusal(options);
}

using Refusal = std::pair<std::string, std::string>;

}  // namespace

TEST_CASE("an options table's row gets type and default from the struct's member") {
  const auto shown = [](const char* name) {
    const ParameterSpec& spec = *table().parameters().find(name);
    return spec.type_text() + " = " + write_json(spec.default_value.value());
  };
  CHECK(shown("verbose") == "boolean = true");
  CHECK(shown("window") == "integer = 10");
  CHECK(shown("factor") == "number = 0.5");
  CHECK(shown("label") == "string = \"\"");
  CHECK(shown("directory") == "string or null = null");
  CHECK(shown("delimiter") == "string = \",\"");
  CHECK(shown("mode") == "string = \"max\"");
  CHECK(shown("profile") == "string or null = null");
  CHECK(shown("atol") == "number or null = null");
  CHECK(shown("every") == "integer or null = 3");
  CHECK(shown("duration") == "duration or null = null");
  CHECK(shown("milestones") == "list of integer = [1,2]");
  CHECK(shown("rates") == "number or list of number = 0.25");
  CHECK(shown("layers") == "list of string = [\"*\"]");
  CHECK(shown("schedule") == "map of number = {\"4\":0.5}");
  CHECK(shown("amount") == "integer or number = 0.5");
  CHECK(shown("checkpointing") == "boolean = true");
  CHECK(shown("optimizer") == "any = \"Adam\"");
  CHECK(shown("rate") == "number = 2.0");
  CHECK(shown("theme") == "object = {}");
  CHECK(shown("share") == "number = 0.1");
  CHECK(shown("split_seed") == "integer = 7");
  CHECK(table().parameters().find("mode")->choices == std::vector<std::string>{"min", "max"});
  CHECK(table().parameters().find("mode")->is_identifying);
}

TEST_CASE("an empty section of run.json gives the struct's defaults") {
  CHECK(table().write(read("{}")) == table().write(Options{}));
  CHECK_FALSE(read("{}").checkpointing.has_value());  // shown as true, and left unset
}

TEST_CASE("an options table reads every type of member from run.json") {
  const Options options = read(R"({
      "verbose": false, "window": 5, "factor": 2, "label": "x", "directory": "/tmp",
      "delimiter": ";", "mode": "min", "profile": "full", "atol": 0.25, "every": null,
      "duration": "00:00:01:30", "milestones": [3], "rates": [0.5, 1], "layers": ["a", "b"],
      "schedule": {"0": 1, "8": 0.25}, "amount": 3, "checkpointing": false,
      "optimizer": {"name": "SGD"}, "rate": 4, "theme": {"bar": "blue"}, "share": 0.5,
      "split_seed": 1})");
  CHECK_FALSE(options.verbose);
  CHECK(options.window == 5);
  CHECK(options.factor == 2.0);
  CHECK(options.label == "x");
  CHECK(options.directory == "/tmp");
  CHECK(options.delimiter == ';');
  CHECK(options.mode == Mode::min);
  CHECK(options.profile == Profile::full);
  CHECK(options.atol == 0.25);
  CHECK_FALSE(options.every.has_value());
  CHECK(options.duration == 90.0);
  CHECK(options.milestones == std::vector<int64_t>{3});
  CHECK(options.rates == std::vector<double>{0.5, 1.0});
  CHECK(options.layers == std::vector<std::string>{"a", "b"});
  CHECK(options.schedule == std::map<int64_t, double>{{0, 1.0}, {8, 0.25}});
  CHECK(std::get<int64_t>(options.amount) == 3);
  CHECK(options.checkpointing == false);
  CHECK(options.optimizer.at("name").as_string() == "SGD");
  CHECK(options.rate(0) == 4.0);
  CHECK(options.theme.bar == "blue");
  CHECK(options.theme.width == 40);
  CHECK(options.split.share == 0.5);
  CHECK(options.split.seed == 1);
  CHECK(read(R"({"rates": 0.5})").rates == std::vector<double>{0.5});
  CHECK(std::get<double>(read(R"({"amount": 3.0})").amount) == 3.0);
  CHECK(read(R"({"directory": null})").directory.empty());
  CHECK(read(R"({"profile": null})").profile == Profile::none);
}

TEST_CASE("run.json and C++ get the same error for an option out of range") {
  CHECK(refusal(R"({"window": 0})") ==
        "run.json:1:12: things.thing.window must be at least 1 and at most 100, found the integer "
        "0");
  CHECK(refusal_after([](Options& o) { o.window = 0; }) ==
        Refusal("window", "Thing: window must be at least 1 and at most 100, found the integer 0"));
  CHECK(refusal(R"({"theme": {"width": 0}})") ==
        "run.json:1:21: things.thing.theme.width must be at least 1, found the integer 0");
  CHECK(refusal_after([](Options& o) { o.theme.width = 0; }) ==
        Refusal("theme.width", "Thing: theme.width must be at least 1, found the integer 0"));
  CHECK(refusal(R"({"every": 0})").ends_with("every must be at least 1, found the integer 0"));
  CHECK(refusal_after([](Options& o) { o.every = 0; }) ==
        Refusal("every", "Thing: every must be at least 1, found the integer 0"));
}

TEST_CASE("an options table's check() finds values out of range in every type of member") {
  const auto key = [](auto set) { return refusal_after(set).first; };
  CHECK(refusal(Options{}).first.empty());
  CHECK(key([](Options& o) { o.factor = std::numeric_limits<double>::quiet_NaN(); }) == "factor");
  CHECK(key([](Options& o) { o.delimiter = '|'; }) == "delimiter");
  CHECK(key([](Options& o) { o.mode = static_cast<Mode>(9); }) == "mode");
  CHECK(key([](Options& o) { o.atol = -1; }) == "atol");
  CHECK(key([](Options& o) { o.duration = -1; }) == "duration");
  CHECK(key([](Options& o) { o.milestones = {1, -1}; }) == "milestones");
  CHECK(key([](Options& o) { o.rates = {0.0}; }) == "rates");
  CHECK(key([](Options& o) { o.layers = {}; }) == "layers");
  CHECK(key([](Options& o) { o.schedule = {{1, -1.0}}; }) == "schedule");
  CHECK(key([](Options& o) { o.amount = -1.0; }) == "amount");
  CHECK(key([](Options& o) { o.rate = ConstantRate{0.0}; }) == "rate");
  CHECK(key([](Options& o) { o.rate = {}; }) == "rate");
  CHECK(key([](Options& o) { o.theme.width = 0; }) == "theme.width");
  CHECK(key([](Options& o) { o.split.share = 1.0; }) == "share");
}

TEST_CASE("an options table doesn't check a value that JSON cannot express") {
  CHECK(refusal_after([](Options& o) { o.rate = [](int64_t) { return -1.0; }; }).first.empty());
  // Past int64, which run.json can't have.
  CHECK(refusal_after([](Options& o) { o.split.seed = ~uint64_t{0}; }).first.empty());
}

TEST_CASE("an option that must be finite refuses infinity from both sides") {
  CHECK(refusal(R"({"factor": "inf"})") ==
        "run.json:1:12: things.thing.factor must be above 0 and finite, found the number \"inf\"");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(refusal_after([=](Options& o) { o.factor = infinity; }) ==
        Refusal("factor", "Thing: factor must be above 0 and finite, found the number \"inf\""));
  CHECK(refusal_after([=](Options& o) { o.atol = infinity; }).first == "atol");
}

TEST_CASE("a range in an options table applies to run.json and C++") {
  struct Pair {
    int64_t even = 2;
    std::optional<int64_t> maybe_even = {};
    std::string name = "n";
  };
  static const OptionsTable<Pair> pairs(
      "pair", "A pair.",
      {option<Even>("even", &Pair::even).doc("Even."),
       option<Even>("maybe_even", &Pair::maybe_even).doc("Even, if anything."),
       option("name", &Pair::name).required().filled().doc("Name.")});
  CHECK_NOTHROW(pairs.check({}, "Pair"));
  CHECK_THROWS_WITH(pairs.check({.even = 3}, "Pair"), "Pair: even must be even, found 3");
  CHECK_THROWS_WITH(pairs.check({.maybe_even = 3}, "Pair"),
                    "Pair: maybe_even must be even, found 3");
  CHECK_THROWS_WITH(pairs.check({.name = ""}, "Pair"),
                    "Pair: name must be not empty, found the string ''");
  const auto read_pair = [](const char* json) {
    return pairs.read(pairs.parameters().validate(parse_json(json, "run.json"), "pair"));
  };
  CHECK(read_pair(R"({"name": "x"})").name == "x");
  CHECK_THROWS_WITH(read_pair(R"({"name": "x", "even": 3})"),
                    "run.json:1:23: pair.even must be even, found 3");
  CHECK_THROWS_WITH(read_pair("{}"),
                    "run.json:1:1: the key 'name' is required in pair (string): Name.");
}

TEST_CASE("an option's default outside its range is a programming error") {
  CHECK_THROWS_AS(
      OptionsTable<Theme>("theme", "Looks.",
                          {option("width", &Theme::width).at_least(41).doc("Too wide.")}),
      std::logic_error);
}

TEST_CASE("the defaults of a nested options struct are those of the outer struct") {
  struct Outer {
    Split split = {.share = 0.25};
  };
  const OptionsTable<Outer> outer(
      "outer", "Outer.", {embed(&Outer::split, {option("share", &Split::share).doc("Share.")})});
  CHECK(outer.parameters().find("share")->default_value == ConfigValue(0.25));
  CHECK(outer.read(outer.parameters().defaults("outer")).split.share == 0.25);
}
