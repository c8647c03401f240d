// http_metrics: a logger that posts to a server of yours, one JSON object per line:
//
//   {"run":"...","event":"begin","plugin":"0.1.0"}
//   {"run":"...","event":"hyperparameter","name":"lr","value":0.1}
//   {"run":"...","event":"metric","name":"train_loss","value":0.5,"step":49,"epoch":0,"time":...}
//   {"run":"...","event":"end","outcome":"finished","reason":""}
//
// A metric that was logged in an evaluation has "evaluation":true. NaN and the infinities are texts.
// Requests are made by a thread (delivery.h); the training waits only at the end of a run, flush_timeout
// at most. What was not delivered by then is told, with the reason.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/plugin.hpp>

#include "delivery.h"
#include "json_line.h"

namespace {

using namespace grapnel::plugin;

const char* in_words(Outcome outcome) {
  switch (outcome) {
    case Outcome::finished:
      return "finished";
    case Outcome::stopped:
      return "stopped";
    case Outcome::interrupted:
      return "interrupted";
    case Outcome::failed:
      return "failed";
  }
  return "ended";
}

// For messages: without a user's name and password, and without the query, which may be a secret too.
std::string shown(const std::string& url) {
  const std::size_t query = url.find_first_of("?#");
  const std::string place = url.substr(0, query);
  const std::size_t scheme = place.find("://");
  const std::size_t host = scheme == place.npos ? 0 : scheme + 3;
  const std::size_t at = place.rfind('@', place.find('/', host));
  const std::string rest = query == url.npos ? "" : "?...";
  if (at == place.npos || at < host) return place + rest;
  return place.substr(0, host) + place.substr(at + 1) + rest;
}

// Schemes have no case. scheme: in small letters, with its "://".
bool has_scheme(std::string_view url, std::string_view scheme) {
  if (url.size() < scheme.size()) return false;
  return std::equal(scheme.begin(), scheme.end(), url.begin(), [](char expected, char found) {
    return expected == (found >= 'A' && found <= 'Z' ? found - 'A' + 'a' : found);
  });
}

// "20261130-231455-3f09c2a1"
std::string new_run_name() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
#if defined(_WIN32)
  gmtime_s(&parts, &now);
#else
  gmtime_r(&now, &parts);
#endif
  char text[64];
  std::snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d-%08x", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<unsigned>(std::random_device()()));
  return text;
}

class HttpMetrics final : public Callback, public MetricsSink {
 public:
  explicit HttpMetrics(const Params& params)
      : url_(params.find<std::string>("url")),
        headers_(
            params.find<std::vector<std::string>>("headers").value_or(std::vector<std::string>())),
        name_(params.find<std::string>("run")),
        limits_{static_cast<std::size_t>(params.get("batch_size", 500)),
                static_cast<std::size_t>(params.get("queue_size", 100000))},
        timeout_(params.get("timeout", 10.0)),
        flush_timeout_(params.get("flush_timeout", 10.0)) {}

  void init(Services&) override {
    if (url_ && !has_scheme(*url_, "http://") && !has_scheme(*url_, "https://")) {
      throw Error("url is '" + shown(*url_) + "', but must begin with http:// or https://");
    }
    if (url_) {
      if (const std::string fault = http::fault_of(*url_); !fault.empty()) {
        throw Error("url '" + shown(*url_) + "' can't be used: " + fault);
      }
    }
    if (name_ && name_->find_first_of("\r\n") != name_->npos) {
      throw Error("run must be one line: it is sent in a header of HTTP");
    }
    for (const std::string& line : headers_) {
      if (line.find_first_of("\r\n") == line.npos && line.find(':') != line.npos) continue;
      throw Error("a header is not one line of the form 'Name: value'");  // it may be a secret
    }
  }

  void begin_metrics(Services& services) override {
    if (!url_) {
      services.log_info("no url is set, so no metrics are sent");
      return;
    }
    const std::string unique = new_run_name();
    run_ = name_ ? *name_ : unique;
    delivery_.reset();
    client_ = std::make_unique<http::Client>(*url_, headers_, timeout_);
    const Logger logger = services.logger();
    delivery_ = std::make_unique<http::Delivery>(
        name_ ? *name_ + "/" + unique : unique, *client_, limits_,
        [logger](const std::string& text) { logger.warning(text); });
    json::Line begin = line("begin");
    if (services.has_extension(GRAPNEL_EXT_PLUGIN)) {
      begin.add("plugin", services.plugin_info().version);
    }
    delivery_->add(begin.text());
  }

  void write_hyperparameters(Services&, const Hyperparameters& parameters) override {
    if (delivery_ == nullptr) return;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Hyperparameter each = parameters[i];
      json::Line one = line("hyperparameter");
      one.add("name", each.name());
      if (const auto flag = each.as_bool()) {
        one.add("value", *flag);
      } else if (const auto integer = each.as_integer()) {
        one.add("value", *integer);
      } else if (const auto number = each.as_number()) {
        one.add("value", *number);
      } else if (const auto text = each.as_string()) {
        one.add("value", *text);
      } else {
        one.add_null("value");
      }
      delivery_->add(one.text());
    }
  }

  void write_metrics(Services&, const MetricRecords& records) override {
    if (delivery_ == nullptr) return;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const MetricRecord each = records[i];
      json::Line one = line("metric");
      one.add("name", each.name()).add("value", each.value());
      one.add("step", each.step()).add("epoch", each.epoch()).add("time", each.time());
      if (each.in_evaluation()) one.add("evaluation", true);
      delivery_->add(one.text());
    }
  }

  void end_metrics(Services& services, Outcome outcome, std::string_view reason) override {
    if (delivery_ == nullptr) return;
    delivery_->add(line("end").add("outcome", in_words(outcome)).add("reason", reason).text());
    const http::Delivery::Report report = delivery_->flush(flush_timeout_);
    delivery_.reset();
    const std::uint64_t lost = report.dropped + report.waiting;
    if (lost == 0) return;
    services.log_error(std::to_string(lost) + " of " + std::to_string(lost + report.delivered) +
                       " lines were not delivered to " + shown(*url_) + ": " + reason_of(report));
  }

 private:
  std::string reason_of(const http::Delivery::Report& report) const {
    if (!report.error.empty()) return report.error;
    char seconds[32];
    *std::to_chars(seconds, seconds + sizeof seconds - 1, flush_timeout_).ptr = '\0';
    return std::string("no answer within flush_timeout=") + seconds +
           " s; set a longer one, or look at the server";
  }

  json::Line line(const char* event) const {
    json::Line made;
    made.add("run", std::string_view(run_)).add("event", event);
    return made;
  }

  std::optional<std::string> url_;
  std::vector<std::string> headers_;
  std::optional<std::string> name_;  // of every run
  http::Delivery::Limits limits_;
  double timeout_;        // seconds
  double flush_timeout_;  // seconds

  std::string run_;
  std::unique_ptr<http::Client> client_;      // outlives the thread that uses it
  std::unique_ptr<http::Delivery> delivery_;  // of the running run; null: none
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<HttpMetrics>("http_metrics"))
