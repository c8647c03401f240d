// http_metrics in a real training, with a real HTTP server: a Python process.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "captured_log.h"
#include "catch.h"
#include "shipped_plugin.h"

extern char** environ;

namespace http_metrics_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

class Server {
 public:
  explicit Server(const std::string& fail_first = "0", const std::string& status = "503") {
    const std::string directory = directory_.path().string();
    std::vector<std::string> words = {PYTHON, HTTP_SERVER, directory, fail_first, status};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(posix_spawn(&process_, PYTHON, nullptr, nullptr, arguments.data(), environ) == 0);
    while (!std::filesystem::exists(directory_ / "port")) {
      REQUIRE(waitpid(process_, nullptr, WNOHANG) == 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~Server() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  std::filesystem::path path(const std::string& name) const { return directory_ / name; }
  std::string url() const { return "http://127.0.0.1:" + read_file(directory_ / "port") + "/log"; }
  // Of the accepted requests, in order.
  std::vector<ConfigValue> lines() const {
    std::vector<ConfigValue> all;
    for (int i = 0; std::filesystem::exists(directory_ / ("body_" + std::to_string(i))); ++i) {
      std::string body = read_file(directory_ / ("body_" + std::to_string(i)));
      for (std::size_t end = 0; (end = body.find('\n')) != body.npos; body.erase(0, end + 1)) {
        all.push_back(parse_json(body.substr(0, end), "a line"));
      }
    }
    return all;
  }
  // The request of that number, accepted or not: its Grapnel-Batch, a line break and its body.
  std::string attempt(int i) const { return read_file(directory_ / ("try_" + std::to_string(i))); }
  std::string head(int i) const { return read_file(directory_ / ("head_" + std::to_string(i))); }

 private:
  TempDir directory_;
  pid_t process_ = 0;
};

std::string parameters(const std::string& url, const std::string& more = "") {
  return "{\"url\": \"" + url + "\", \"run\": \"r1\"" + more + "}";
}

void train(const std::string& with, double loss_scale = 1) {
  Toy toy;
  toy.options.log_every_n_steps = 1;
  toy.module.hyper_parameters = {{"lr", 0.05}, {"kind", "a \"toy\"\n"}};
  if (loss_scale != 1) toy.module.weight.detach().mul_(loss_scale);
  toy.fit({shipped_plugin("http_metrics", with)});
  CHECK(toy.trainer->global_step() == 4);
}

std::string text_of(const ConfigValue& line, const char* key) {
  return line.find(key)->as_string();
}

}  // namespace

TEST_CASE("http_metrics posts a run in order, from its begin to its outcome") {
  const Server server;
  train(parameters(server.url(), ", \"headers\": [\"Authorization: Bearer x\"]"));
  const auto lines = server.lines();
  REQUIRE(lines.size() > 8);
  for (const auto& line : lines) CHECK(text_of(line, "run") == "r1");
  CHECK(text_of(lines.front(), "event") == "begin");
  CHECK(text_of(lines.back(), "event") == "end");
  CHECK(text_of(lines.back(), "outcome") == "finished");
  std::vector<std::int64_t> steps;
  bool has_text = false, has_validation = false;
  for (const auto& line : lines) {
    if (text_of(line, "event") == "hyperparameter" && text_of(line, "name") == "kind") {
      has_text = text_of(line, "value") == "a \"toy\"\n";
    }
    if (text_of(line, "event") != "metric") continue;
    if (text_of(line, "name") == "val_loss") has_validation = line.find("evaluation")->as_bool();
    if (text_of(line, "name") == "train_loss") steps.push_back(line.find("step")->as_int());
  }
  CHECK(has_text);
  CHECK(has_validation);
  CHECK(steps == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK_THAT(server.head(0),
             Catch::StartsWith("r1/") && Contains("/0\nBearer x\napplication/x-ndjson"));
}

TEST_CASE("http_metrics repeats what a server doesn't take for now, in the same batches") {
  const CapturedLog log;
  const Server server("2");
  train(parameters(server.url(), ", \"flush_timeout\": 60"));
  const auto lines = server.lines();
  REQUIRE_FALSE(lines.empty());
  CHECK(text_of(lines.front(), "event") == "begin");
  CHECK(text_of(lines.back(), "event") == "end");
  CHECK(server.attempt(1) == server.attempt(0));  // whatever was logged meanwhile
  CHECK(server.attempt(2) == server.attempt(0));
  CHECK_THAT(server.head(0),
             Catch::StartsWith(server.attempt(0).substr(0, server.attempt(0).find('\n'))));
  CHECK_THAT(log.text(), Contains("HTTP 503; it is tried again"));
  CHECK_THAT(log.text(), !Contains("not delivered"));
}

TEST_CASE(
    "http_metrics numbers the requests of each run anew, also of one that has a former's name") {
  const Server server;
  train(parameters(server.url()));
  const std::string of_first = server.head(0);
  int requests = 0;
  while (std::filesystem::exists(server.path("head_" + std::to_string(requests)))) ++requests;
  train(parameters(server.url()));
  CHECK_THAT(server.head(requests), Catch::StartsWith("r1/") && Contains("/0\n"));
  CHECK(server.head(requests) != of_first);
}

TEST_CASE("http_metrics tells what a server refused, and the training ends as without it") {
  const CapturedLog log;
  const Server server("-1", "401");
  train(parameters(server.url()));
  CHECK(server.lines().empty());
  CHECK_THAT(log.text(), Contains("HTTP 401; these lines are dropped"));
  CHECK_THAT(log.text(), Contains("lines were not delivered to " + server.url() +
                                  ": the server answered HTTP 401"));
}

TEST_CASE("http_metrics keeps the password and the query of its url out of the log") {
  const CapturedLog log;
  const Server server("-1", "401");
  const std::string place = server.url().substr(std::string("http://").size());
  train(parameters("http://me:pass-word@" + place + "?token=to-ken#frag-ment"));
  CHECK_THAT(log.text(), Contains("not delivered to http://" + place + "?..."));
  for (const char* secret : {"pass-word", "to-ken", "frag-ment"}) {
    CHECK_THAT(log.text(), !Contains(secret));
  }
  CHECK_THROWS_WITH(shipped_plugin("http_metrics", R"({"url": "ftp://h?token=to-ken"})"),
                    Contains("ftp://h?...") && !Contains("to-ken"));
}

TEST_CASE("http_metrics holds the end of a run up no longer than flush_timeout") {
  const CapturedLog log;
  const Server server("-1", "hang");
  const auto start = std::chrono::steady_clock::now();
  train(parameters(server.url(), ", \"flush_timeout\": 0.5, \"timeout\": 600"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  CHECK_THAT(log.text(), Contains("lines were not delivered to " + server.url() +
                                  ": no answer within flush_timeout=0.5 s"));
}

TEST_CASE("http_metrics without a server trains and tells") {
  std::string url;
  {
    const Server server;
    url = server.url();
  }  // nobody listens there now
  const CapturedLog log;
  train(parameters(url, ", \"flush_timeout\": 0.2, \"queue_size\": 5"));
  CHECK_THAT(log.text(), Contains("lines were not delivered"));
}

TEST_CASE("http_metrics sends nothing without a url, and refuses one that it can't use") {
  const CapturedLog log;
  train("{}");
  CHECK_THAT(log.text(), Contains("no url is set"));
  CHECK_THROWS_WITH(shipped_plugin("http_metrics", R"({"url": "ftp://x"})"),
                    Contains("must begin with http:// or https://"));
  for (const char* url : {"http://", "http://host:99999/", "http://a b/"}) {
    INFO(url);
    CHECK_THROWS_WITH(shipped_plugin("http_metrics", "{\"url\": \"" + std::string(url) + "\"}"),
                      Contains(std::string("url '") + url + "' can't be used: "));
  }
  CHECK_NOTHROW(shipped_plugin("http_metrics", R"({"url": "HTTP://localhost/"})"));
  CHECK_THROWS_WITH(shipped_plugin("http_metrics", R"({"url": "http://x", "headers": ["secret"]})"),
                    Contains("not one line of the form 'Name: value'") && !Contains("secret"));
  CHECK_THROWS_WITH(shipped_plugin("http_metrics", R"({"url": "http://x", "run": "a\r\nB: c"})"),
                    Contains("run") && Contains("one line"));
}

}  // namespace http_metrics_test
