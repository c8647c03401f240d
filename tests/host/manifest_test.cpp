#include <grapnel/host/manifest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include <grapnel/base/error.h>

#include "catch.h"

namespace manifest_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;

namespace {

// A whole manifest with one member replaced or added; "" leaves the member out.
std::string manifest_with(const std::string& key, const std::string& value) {
  ConfigValue root = parse_json(R"({
    "manifest_version": 1, "id": "nan_guard", "name": "NaN guard", "version": "1.2.3-rc.1+build.5",
    "license": "MIT", "summary": "Stops the run.", "abi": {"major": 0, "minor": )" +
                                    std::to_string(GRAPNEL_ABI_MINOR) + R"(},
    "requires": ["grapnel.trainer/1"], "optional": ["grapnel.log/1"],
    "before": ["ema"], "after": ["grad_norm"], "aliases": ["nan_stop"],
    "platforms": ["linux-x86_64", "linux-aarch64"],
    "callbacks": [{"name": "nan_guard", "summary": "Stops.", "parameters": {
      "patience": {"type": "integer", "default": 1, "minimum": 1, "doc": "Batches."}}}]})",
                                "");
  if (value.empty()) {
    root.erase(key);
  } else if (!key.empty()) {
    root.set(key, parse_json(value, ""));
  }
  return write_json(root, JsonStyle::pretty);
}

Manifest parse(const std::string& key = "", const std::string& value = "1") {
  return parse_manifest(manifest_with(key, value), "plugin.json");
}

std::string refusal(const std::string& key, const std::string& value) {
  try {
    (void)parse(key, value);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("every field of a manifest is read") {
  const Manifest manifest = parse();
  CHECK(manifest.id == "nan_guard");
  CHECK(manifest.name == "NaN guard");
  CHECK(manifest.version == "1.2.3-rc.1+build.5");
  CHECK(manifest.license == "MIT");
  CHECK(manifest.summary == "Stops the run.");
  CHECK(manifest.abi == host_abi);
  CHECK(manifest.required_extensions == std::vector<std::string>{"grapnel.trainer/1"});
  CHECK(manifest.optional_extensions == std::vector<std::string>{"grapnel.log/1"});
  CHECK(manifest.before == std::vector<std::string>{"ema"});
  CHECK(manifest.after == std::vector<std::string>{"grad_norm"});
  CHECK(manifest.aliases == std::vector<std::string>{"nan_stop"});
  CHECK(manifest.platforms.size() == 2);
  CHECK(manifest.warnings.empty());
  REQUIRE(manifest.find("nan_guard") != nullptr);
  CHECK(manifest.find("nan_guard")->parameters.defaults("").get<std::int64_t>("patience") == 1);
  CHECK(manifest.find("other") == nullptr);
  CHECK(parse_manifest(manifest.text, "").id == "nan_guard");
}

TEST_CASE("optional fields of a manifest have defaults") {
  CHECK(parse("name", "").name == "nan_guard");
  CHECK(parse("license", "").license.empty());
  CHECK(parse("before", "").before.empty());
}

TEST_CASE("a missing required field of a manifest is named") {
  for (const std::string key :
       {"manifest_version", "id", "version", "summary", "abi", "callbacks"}) {
    INFO(key);
    CHECK_THAT(refusal(key, ""), Contains("has no '" + key + "', which is required"));
  }
}

TEST_CASE("a wrong value in a manifest is refused with its line and what is accepted") {
  CHECK_THAT(refusal("id", R"("Nan Guard")"), Contains("'Nan Guard' in 'id' is not a plugin id"));
  CHECK_THAT(refusal("id", R"("a..b")"), Contains("not a plugin id"));
  CHECK_THAT(refusal("id", R"("../../etc/passwd")"), Contains("not a plugin id"));
  CHECK_THAT(refusal("id", '"' + std::string(65, 'a') + '"'), Contains("not a plugin id"));
  CHECK_THAT(refusal("version", R"("1.2")"), Contains("'1.2' is not a semantic version"));
  CHECK_THAT(refusal("summary", R"("")"), Contains("1 to 1024 bytes, found 0"));
  CHECK_THAT(refusal("abi", R"({"major": -1, "minor": 0})"), Contains("must be at least 0"));
  CHECK_THAT(refusal("abi", R"("0.1")"), Contains("found the string '0.1'"));
  CHECK_THAT(refusal("before", R"(["ema", "ema"])"), Contains("'ema' appears twice"));
  CHECK_THAT(refusal("before", R"(["nan_guard"])"), Contains("names the plugin itself"));
  CHECK_THAT(refusal("before", R"(["grad_norm"])"), Contains("both 'before' and 'after'"));
  CHECK_THAT(refusal("version", "\"1.2.3-" + std::string(64, 'a') + '"'),
             Contains("'version' must have 1 to 64 bytes"));
  CHECK_THAT(refusal("homepage", R"x("javascript:alert(1)")x"),
             Contains("must begin with https:// or http://"));
  CHECK_THAT(refusal("callbacks", R"([{"name": "a/b", "summary": "x"}])"),
             Contains("'a/b' is not a callback name"));
  CHECK_THAT(
      refusal("callbacks", R"([{"name": "a", "summary": "x"}, {"name": "a", "summary": "y"}])"),
      Contains("two callbacks are called 'a'"));
  CHECK_THAT(refusal("callbacks",
                     R"([{"name": "a", "summary": "x", "parameters": {"p": {"type": "integr"}}}])"),
             Contains("integer"));
  CHECK_THAT(refusal("version", R"("1.2")"), Catch::StartsWith("plugin.json:5:"));
}

TEST_CASE("a library may have no callback") {
  CHECK(parse("callbacks", "[]").callbacks.empty());
}

TEST_CASE("names that belong to Grapnel are refused, with what to choose instead") {
  for (const char* key : {"id", "aliases"}) {
    const auto reason = [&](const std::string& id) {
      return refusal(key, key == std::string("id") ? '"' + id + '"' : "[\"" + id + "\"]");
    };
    for (const char* id : {"grapnel", "grapnel.monitor"}) {
      CHECK_THAT(reason(id), Contains("belongs to Grapnel"));
    }
    for (const char* id : {"early_stopping", "earlystopping", "progress_bar", "timer"}) {
      CHECK_THAT(reason(id), Contains("is the name of a built-in callback") &&
                                 Contains("'org.example." + std::string(id) + "'"));
    }
    CHECK(reason("org.example.early_stopping") == "accepted");
    CHECK(reason("grapnels") == "accepted");
  }
}

TEST_CASE("a parameter can't have a name that every callback's section has") {
  const auto parameter = [](const std::string& name) {
    return refusal("callbacks", R"([{"name": "a", "summary": "x", "parameters": {")" + name +
                                    R"(": {"type": "integer", "doc": "P."}}}])");
  };
  for (const char* name :
       {"every", "after", "first", "last", "once", "on_error", "label", "_mine"}) {
    CHECK_THAT(parameter(name),
               Contains("a parameter can't be called '" + std::string(name) + "'"));
  }
  CHECK(parameter("every_n") == "accepted");
}

TEST_CASE("a host that does not know a critical key refuses the plugin, any other ignores it") {
  CHECK_THAT(
      incompatibility(parse("critical", R"(["conflicts"])")),
      Contains("the key 'conflicts', which a host must understand") && Contains("update grapnel"));
  CHECK(incompatibility(parse("critical", R"(["requires", "before"])")).empty());
}

TEST_CASE("of several ABIs the one for this host's major counts") {
  const std::string major = std::to_string(host_abi.major);
  const std::string minor = std::to_string(host_abi.minor);
  const Manifest manifest =
      parse("abi", R"([{"major": 98, "minor": 0}, {"major": )" + major + R"(, "minor": )" + minor +
                       R"(}, {"major": 99, "minor": 1}])");
  CHECK(manifest.abi == host_abi);
  CHECK(incompatibility(manifest).empty());
  CHECK_THAT(
      incompatibility(parse("abi", R"([{"major": 98, "minor": 0}, {"major": 99, "minor": 1}])")),
      Contains("it needs ABI 99.1, this host offers " + offered_abi()));
  CHECK_THAT(refusal("abi", R"([{"major": 1, "minor": 0}, {"major": 1, "minor": 1}])"),
             Contains("names the major 1 twice"));
  CHECK_THAT(refusal("abi", "[]"), Contains("is an empty list"));
}

TEST_CASE("authors, homepage and hooks are read, and thousands of unknown keys stay a few lines") {
  CHECK(parse("authors", R"(["Ada <ada@example.org>"])").authors ==
        std::vector<std::string>{"Ada <ada@example.org>"});
  CHECK(parse("homepage", R"("https://example.org")").homepage == "https://example.org");
  const Manifest manifest =
      parse("callbacks", R"([{"name": "a", "summary": "x", "hooks": ["on_fit_end"]}])");
  CHECK(manifest.callbacks[0].hooks == std::vector<std::string>{"on_fit_end"});
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) {
    many += (i > 0 ? ", \"k" : "\"k") + std::to_string(i) + "\": 1";
  }
  const Manifest noisy =
      parse("callbacks", R"([{"name": "a", "summary": "x", "unknown": )" + many + "}}]");
  CHECK(noisy.warnings.size() == 1);
  const Manifest noisier = parse("callbacks", [] {
    std::string list = "[";
    for (int i = 0; i < 100; ++i) {
      const std::string n = std::to_string(i);
      list += (i > 0 ? ", " : "") + std::string(R"({"name": "a)") + n +
              R"(", "summary": "x", "unknown)" + n + "\": 1}";
    }
    return list + "]";
  }());
  CHECK(noisier.warnings.size() == 21);
  CHECK_THAT(noisier.warnings.back(), Contains("80 more warnings"));
}

TEST_CASE("a parameter of a type that no plugin can read is refused with those that it can") {
  const auto parameter = [](const std::string& description) {
    return refusal("callbacks",
                   R"([{"name": "a", "summary": "x", "parameters": {"p": )" + description + "}}]");
  };
  for (const char* type : {"boolean", "integer", "number", "string", "duration", "list of boolean",
                           "list of integer", "list of number", "list of string"}) {
    CHECK(parameter(R"({"doc": "P.", "type": ")" + std::string(type) + "\"}") == "accepted");
  }
  for (const char* type : {"map of number", "any", "object"}) {
    CHECK_THAT(parameter(R"({"doc": "P.", "type": ")" + std::string(type) + "\"}"),
               Contains("parameter 'p' has the type '" + std::string(type) +
                        "', which plugins cannot read") &&
                   Contains("types: boolean, integer, number, string, duration, list of boolean"));
  }
  CHECK_THAT(parameter(R"({"doc": "P.", "type": "integr"})"), Contains("did you mean 'integer'?"));
  CHECK_THAT(parameter(R"({"doc": "P.", "type": ["integer", "number"]})"),
             Contains("'type' must be a string"));
  CHECK_THAT(parameter(R"({"doc": "P.", "type": "object", "parameters": {}})"),
             Contains("which plugins cannot read"));
}

TEST_CASE("a manifest of a later format is refused, saying what to update") {
  CHECK_THAT(refusal("manifest_version", "2"), Contains("update grapnel"));
  CHECK_THROWS_WITH(parse_manifest(R"({"manifest_version": 7, "id": 5})", "x"),
                    Contains("manifest version 7 is not supported, this grapnel reads 1"));
}

TEST_CASE("an unknown key in a manifest is ignored with a warning that names the nearest") {
  const Manifest manifest = parse("licence", R"("MIT")");
  REQUIRE(manifest.warnings.size() == 1);
  CHECK_THAT(manifest.warnings[0], Contains("'licence'") && Contains("did you mean 'license'?"));
}

TEST_CASE("a manifest that is too large, too deep or has a key twice is refused") {
  const std::string large = manifest_with("summary", '"' + std::string(300'000, 'x') + '"');
  CHECK_THROWS_AS(parse_manifest(large, ""), ConfigError);
  const std::string deep = std::string(17, '[') + std::string(17, ']');
  CHECK_THROWS_AS(parse_manifest(manifest_with("extra", deep), ""), ConfigError);
  CHECK_THROWS_WITH(parse_manifest(R"({"manifest_version": 1, "id": "a", "id": "b"})", ""),
                    Contains("id"));
}

TEST_CASE("plugin versions follow semver.org") {
  for (const char* good :
       {"0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7",
        "1.0.0-x.7.z.92", "1.0.0+20130313144700", "1.0.0-beta+exp.sha.5114f85", "1.0.0--",
        "1.0.0+21AF26D3---117B344092BD", "1.0.0-0A.is.legal"}) {
    INFO(good);
    CHECK(is_semantic_version(good));
  }
  for (const char* bad : {"", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.02.3", "1.2.03",
                          "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3-a_b", "1.2.3 ",
                          "-1.2.3", "1.2.-3", "1.2.3+a+b", "..", "1..3"}) {
    INFO(bad);
    CHECK_FALSE(is_semantic_version(bad));
  }
}

TEST_CASE("a plugin for another ABI or platform is refused, naming both sides and what to do") {
  const auto reason = [](const std::string& key, const std::string& value) {
    return incompatibility(parse(key, value));
  };
  CHECK(reason("", "1").empty());
  CHECK_THAT(reason("abi", R"({"major": 7, "minor": 0})"),
             Contains("needs ABI 7.0, this host offers " + offered_abi() + "; update grapnel"));
  CHECK_THAT(reason("abi", R"({"major": 0, "minor": 9})"),
             Contains("needs ABI 0.9, this host offers 0.4 to 0.5"));
  CHECK(reason("abi", R"({"major": 0, "minor": 4})").empty());
  CHECK(reason("abi", R"({"major": 0, "minor": 5})").empty());
  // Within major 0 nothing is promised, so an older minor is another ABI as well.
  CHECK_THAT(reason("abi", R"({"major": 0, "minor": 0})"),
             Contains("needs ABI 0.0") && Contains("newer release of the plugin"));
  CHECK_THAT(reason("platforms", R"(["plan9-mips"])"),
             Contains("only on 'plan9-mips'") && Contains(std::string(this_platform())));
  CHECK_THAT(reason("requires", R"(["grapnel.tensor/1"])"),
             Contains("'grapnel.tensor/1'") && Contains("nearest is 'grapnel.tensors/1'"));
}

TEST_CASE("hosts offer every extension that the SDK declares") {
  std::vector<std::string> declared;
  for (const auto& file : std::filesystem::directory_iterator(SDK_EXTENSIONS)) {
    if (file.path().stem() == "layout" || file.is_directory()) continue;
    declared.push_back("grapnel." + file.path().stem().string() + "/1");
  }
  std::sort(declared.begin(), declared.end());
  CHECK(declared == offered_extensions());
}

}  // namespace manifest_test
