#include "bars.h"

#include <fmt/format.h>

#include <cstdlib>

namespace grapnel::oracle {
namespace {

// Metrics are recorded with three digits.
Json postfix_json(const PostfixValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.3g}", *real);
  return std::get<std::string>(value);
}

class RecordedBar final : public Bar {
 public:
  RecordedBar(Journal& journal, std::size_t index, bool disabled)
      : journal_(journal), index_(index), disabled_(disabled) {}

  void reset() override { add("reset", nullptr); }
  void set_total(std::optional<std::int64_t> total) override {
    const Json value = total ? Json(*total) : Json();
    add("total", &value);
  }
  void set_description(std::string_view description) override {
    const Json value(description);
    add("desc", &value);
  }
  bool set_n(std::int64_t n) override {
    const Json value(n);
    add("n", &value);
    return true;
  }
  void set_postfix(const Postfix& postfix) override {
    Json values = Json::object();
    for (const auto& [key, value] : postfix) values.set(key, postfix_json(value));
    add("postfix", &values);
  }
  void close() override { append("close", nullptr); }

 private:
  void add(const char* event, const Json* value) {
    if (!disabled_) append(event, value);
  }
  void append(const char* event, const Json* value) {
    Json entry = Json::array();
    entry.append(event);
    if (value != nullptr) entry.append(*value);
    journal_.bars.as_array()[index_].find("events")->append(std::move(entry));
  }

  Journal& journal_;
  std::size_t index_;
  bool disabled_;
};

class BarRecorder final : public ProgressSink {
 public:
  explicit BarRecorder(Journal& journal) : journal_(journal) {}

  std::unique_ptr<Bar> make_bar(const BarOptions& options) override {
    Json init = Json::object();
    init.set("desc", options.description);
    init.set("position", options.position);
    init.set("leave", options.leave);
    init.set("disable", options.disable);
    Json entry = Json::object();
    entry.set("init", std::move(init));
    entry.set("events", Json::array());
    journal_.bars.append(std::move(entry));
    return std::make_unique<RecordedBar>(journal_, journal_.bars.size() - 1, options.disable);
  }

  void print(std::string_view) override {}

 private:
  Journal& journal_;
};

}  // namespace

std::shared_ptr<ProgressSink> make_bar_recorder(Journal& journal) {
  return std::make_shared<BarRecorder>(journal);
}

}  // namespace grapnel::oracle
