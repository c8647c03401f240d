#include "rule_parts.h"

#include <algorithm>
#include <cctype>
#include <regex>

#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

}  // namespace

bool names(const std::string& text, const std::string& word) {
  const bool number = !word.empty() && (is_digit(word[0]) || word[0] == '-');
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const char before = at == 0 ? ' ' : text[at - 1];
    const std::size_t end = at + word.size();
    const char after = end < text.size() ? text[end] : ' ';
    const char next = end + 1 < text.size() ? text[end + 1] : ' ';
    if (is_word_character(before) || (number && (before == '-' || before == '.'))) continue;
    if (is_word_character(after) || (number && after == '.' && is_digit(next))) continue;
    return true;
  }
  return false;
}

bool has_callback(const Case& test, std::string_view type) {
  const Json::Array& specs = items(test.callbacks());
  return std::any_of(specs.begin(), specs.end(),
                     [&](const Json& spec) { return text_or(spec, "type", "") == type; });
}

const Json& argument(const Json& spec, std::string_view key) {
  return get(get(spec, "args"), key);
}

Json expect_without(const Case& test, std::initializer_list<std::string_view> left_out) {
  Json expect = Json::object();
  for (const auto& [key, value, line, column] : test.expect().as_object()) {
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end()) {
      expect.set(key, value);
    }
  }
  return expect;
}

std::vector<std::string> check_config_error(const Json& observed,
                                            const std::vector<std::string>& facts) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {"nothing was refused"};
  if (exception.at("type").as_string() != "ConfigError") {
    return {"refused by " + brief(exception) + " instead of a ConfigError"};
  }
  const std::string& message = exception.at("message").as_string();
  for (const std::string& fact : facts) {
    if (!names(message, fact)) {
      return {"'" + message + "' doesn't name '" + fact + "'"};
    }
  }
  return {};
}

bool fits_and_resumes(const Case& test) {
  const std::vector<Json> calls = test.calls();
  return calls.size() == 2 && calls[0].at("call").as_string() == "fit" &&
         calls[1].at("call").as_string() == "fit" && calls[1].contains("ckpt_path");
}

Json without_versions(const Json& value) {
  static const std::regex version("-v[0-9]+[.]ckpt");
  return parse_json(std::regex_replace(write_json(value), version, ".ckpt"), "an observation");
}

Case first_call(const Case& test) {
  Case first = test;
  Json calls = Json::array();
  calls.append(test.calls().at(0));
  first.document.set("sequence", std::move(calls));
  Json expect = test.expect();
  if (!expect.contains("checkpoints")) expect.set("checkpoints", Json::object());
  first.document.set("expect", std::move(expect));
  Json record = Json::array();
  for (const Json& what : items(get(test.document, "record"))) record.append(what);
  record.append("ckpt_loops");
  first.document.set("record", std::move(record));
  return first;
}

Json checkpoint_of(const Case& test, const Json& first) {
  const std::string path = text_or(test.calls().at(1), "ckpt_path", "");
  static const std::string root = "{DIR}/";
  if (!path.starts_with(root)) return {};
  return get(get(first, "checkpoints"), path.substr(root.size()));
}

Case uninterrupted(const Case& test) {
  const Json second = test.calls().at(1);
  Case whole = test;
  Json trainer = test.trainer();
  for (const auto& [key, value, line, column] : members(get(second, "new_trainer"))) {
    trainer.set(key, value);
  }
  whole.document.set("trainer", trainer);
  whole.document.erase("sequence");
  whole.document.erase("script");
  return whole;
}

ResumedRun::ResumedRun(const Case& test, const Json& observed) : observed_(observed) {
  std::vector<std::string> log;
  first_ = observe_case(first_call(test), log);
  whole_ = observe_case(uninterrupted(test), log);
  const Json saved = checkpoint_of(test, first_);
  const Json& batches = get(get(saved, "fit_loop"), "batch_progress");
  if (!batches.is_null()) batches_before_ = int_or(get(batches, "total"), "ready", 0);
}

void ResumedRun::compare_end(std::initializer_list<const char*> keys,
                             std::vector<std::string>& problems) {
  for (const char* key : keys) {
    if (!observed_.contains(key)) continue;
    if (auto found = value_difference(without_versions(whole_.at(key)),
                                      without_versions(observed_.at(key)), key)) {
      problems.push_back("other than without the interruption: " + *found);
    }
  }
}

void ResumedRun::compare_tails(std::initializer_list<const char*> keys,
                               std::vector<std::string>& problems) {
  for (const char* key : keys) {
    if (!observed_.contains(key)) continue;
    const std::string list = key;
    const Json::Array& ours = items(observed_.at(key));
    const Json::Array& all = items(whole_.at(key));
    Json::Array before = items(first_.at(key));
    // The last snapshot is taken when all calls are over.
    if (list == "snapshots" && !before.empty()) before.pop_back();
    if (ours.size() < before.size() || ours.size() - before.size() > all.size() ||
        ours.size() < all.size()) {
      problems.push_back(list + ": " + std::to_string(ours.size()) + " of them, " +
                         std::to_string(before.size()) + " before the interruption and " +
                         std::to_string(all.size()) + " without it");
      continue;
    }
    const auto batches = static_cast<std::size_t>(batches_before_.value_or(0));
    if (batches_before_ && (list == "train_losses" || list == "lrs") &&
        ours.size() - before.size() + batches != all.size()) {
      problems.push_back(list + ": " + std::to_string(ours.size() - before.size()) +
                         " after a checkpoint of " + std::to_string(batches) + " batches, " +
                         std::to_string(all.size()) + " without the interruption");
      continue;
    }
    const std::size_t skipped = all.size() - (ours.size() - before.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const bool is_before = i < before.size();
      const Json& expected = is_before ? before[i] : all[skipped + i - before.size()];
      if (auto found = value_difference(without_versions(expected), without_versions(ours[i]),
                                        list + "[" + std::to_string(i) + "]")) {
        problems.push_back(std::string("other than ") +
                           (is_before ? "in the first fit alone: " : "without the interruption: ") +
                           *found);
        break;
      }
    }
  }
}

}  // namespace grapnel::oracle
