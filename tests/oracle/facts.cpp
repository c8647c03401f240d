#include "facts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <regex>

#include "tables.h"
#include "vocabulary.h"

namespace grapnel::oracle {
namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Does the text have this word, not as a part of another?
bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_word_char(text[at - 1]) || !is_word_char(word.front());
    const bool ends = end == text.size() || !is_word_char(text[end]) || !is_word_char(word.back());
    if (begins && ends) return true;
  }
  return false;
}

struct Number {
  std::string text;
  double value;
  int decimals;  // printed after the point; of a mantissa with an exponent: 17
};

// Numbers that stand by themselves, durations as seconds, "nan" and "inf".
std::vector<Number> numbers_in(std::string_view text) {
  static const std::regex pattern(
      R"(((?:\d+ days?, )?\d+:\d\d:\d\d(?:\.\d+)?)|([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(-?\b(?:nan|inf)\b))");
  std::vector<Number> found;
  const std::string copy(text);
  for (auto it = std::sregex_iterator(copy.begin(), copy.end(), pattern);
       it != std::sregex_iterator(); ++it) {
    std::string token = it->str();
    const auto at = static_cast<std::size_t>(it->position());
    const std::size_t end = at + token.size();
    // A sign between digits or names is a hyphen.
    if ((token[0] == '-' || token[0] == '+') && at > 0 &&
        (is_word_char(copy[at - 1]) || copy[at - 1] == '.')) {
      token.erase(0, 1);
      if (is_word_char(copy[at - 1]) && !std::isdigit(static_cast<unsigned char>(copy[at - 1]))) {
        continue;
      }
    } else if (at > 0 && (is_word_char(copy[at - 1]) || copy[at - 1] == '.')) {
      continue;
    }
    if (end < copy.size() && is_word_char(copy[end]) && copy[end] != 's') continue;
    if ((*it)[1].matched) {
      double days = 0.0;
      if (const std::size_t comma = token.find(", "); comma != std::string::npos) {
        days = std::atof(token.c_str());
        token.erase(0, comma + 2);
      }
      int hours = 0;
      int minutes = 0;
      double seconds = 0.0;
      std::sscanf(token.c_str(), "%d:%d:%lf", &hours, &minutes, &seconds);
      found.push_back({it->str(), days * 86400 + hours * 3600 + minutes * 60 + seconds, 0});
      continue;
    }
    const std::size_t point = token.find('.');
    int decimals = point == std::string::npos ? 0 : static_cast<int>(token.size() - point - 1);
    if (token.find_first_of("eE") != std::string::npos) decimals = 17;
    found.push_back({token, std::strtod(token.c_str(), nullptr), decimals});
  }
  return found;
}

bool same_number(const Number& recorded, const Number& ours) {
  if (std::isnan(recorded.value)) return std::isnan(ours.value);
  if (recorded.value == ours.value) return true;
  // Equal as far as the one with fewer digits goes; a whole number has to be one.
  const int decimals = std::min(recorded.decimals, ours.decimals);
  const double relative = 1e-5 * (1.0 + std::abs(recorded.value));
  const double printed = decimals == 0 ? 0.0 : 0.5000001 * std::pow(10.0, -decimals);
  return std::abs(recorded.value - ours.value) <= std::max(relative, printed);
}

// Takes paths below {DIR} out of a text; returns the names of their files.
std::vector<std::string> take_paths(std::string& text) {
  static const std::regex pattern(R"(\{DIR\}(?:/[^\s'"`,]*)?)");
  std::vector<std::string> names;
  std::smatch match;
  while (std::regex_search(text, match, pattern)) {
    std::string path = match.str();
    while (path.size() > 1 && path.back() == '.') path.pop_back();
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos) names.push_back(path.substr(slash + 1));
    text.replace(static_cast<std::size_t>(match.position()), match.length(), " ");
  }
  return names;
}

std::string first_sentence(const std::string& text) {
  const std::size_t end = text.find(". ");
  return text.substr(0, end);
}

// The identifier of the library's interface that a text names first: its subject.
std::optional<std::string> subject(const std::string& text) {
  static const std::regex pattern(R"([A-Za-z_][A-Za-z0-9_]*)");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern);
       it != std::sregex_iterator(); ++it) {
    if (interface_names().contains(it->str())) return it->str();
  }
  return {};
}

// "min_delta = 0.0" where the case doesn't set min_delta: a default, which needs no mention.
std::string without_defaults(const std::string& text, const Vocabulary& vocabulary) {
  static const std::regex pattern(R"(([A-Za-z_][A-Za-z0-9_]*)\s*=\s*[-+.0-9eE]+)");
  std::string result;
  std::size_t from = 0;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern);
       it != std::sregex_iterator(); ++it) {
    if (vocabulary.words.contains((*it)[1].str())) continue;
    const auto at = static_cast<std::size_t>(it->position());
    result += text.substr(from, at - from) + (*it)[1].str();
    from = at + static_cast<std::size_t>(it->length());
  }
  return result + text.substr(from);
}

// Where the library calls a thing otherwise.
std::string our_name(const std::string& name) {
  return name == "reduce_fx" ? "reduce" : name;
}

// A search keeps its snapshot in memory: there is no file to tell about.
bool about_trial_files(std::string_view recorded) {
  return recorded.find("/.lr_find_") != std::string_view::npos ||
         recorded.find("/.scale_batch_size_") != std::string_view::npos;
}

}  // namespace

Facts facts_of(std::string_view recorded, const Case& test, MessageKind kind) {
  const Vocabulary vocabulary = vocabulary_of(test);
  Facts facts;
  // What follows a hint is advice, not fact.
  std::string text(recorded.substr(0, recorded.find("HINT:")));
  facts.names = take_paths(text);
  for (const std::string& word : vocabulary.words) {
    // A word of the case that holds a path was compared by its file's name.
    if (word.find("{DIR}") == std::string::npos && has_word(text, word)) {
      facts.names.push_back(word);
    }
  }
  if (facts.names.empty()) {
    if (const auto name = subject(first_sentence(text))) facts.names.push_back(*name);
  }

  if (kind == MessageKind::log) text = without_defaults(text, vocabulary);
  for (const Number& found : numbers_in(text)) {
    const auto given = [&](double value) { return value == found.value; };
    const auto& arguments = vocabulary.argument_numbers;
    const bool wanted = kind == MessageKind::log ||
                        std::any_of(arguments.begin(), arguments.end(), given) ||
                        std::any_of(vocabulary.option_numbers.begin(),
                                    vocabulary.option_numbers.end(), [&](const auto& option) {
                                      return given(option.second) && has_word(text, option.first);
                                    });
    if (wanted) facts.numbers.push_back(found.text);
  }
  return facts;
}

std::optional<std::string> missing_fact(const Facts& facts, std::string_view ours) {
  for (const std::string& name : facts.names) {
    if (ours.find(our_name(name)) == std::string_view::npos) return "'" + our_name(name) + "'";
  }
  const std::vector<Number> present = numbers_in(ours);
  for (const std::string& text : facts.numbers) {
    const Number wanted = numbers_in(text).at(0);
    if (std::none_of(present.begin(), present.end(),
                     [&](const Number& number) { return same_number(wanted, number); })) {
      return "the number " + text;
    }
  }
  return {};
}

std::optional<std::string> missing_message(const Json& recorded, const Json& ours, const Case& test,
                                           MessageKind kind) {
  const Json::Array& candidates = items(ours);
  std::size_t next = 0;
  for (const Json& entry : items(recorded)) {
    const std::string& text =
        entry.is_object() ? entry.at("message").as_string() : entry.as_string();
    if (about_trial_files(text)) continue;
    const bool table = is_table(text);
    const Facts facts = table ? Facts{} : facts_of(text, test, kind);
    const auto fits = [&](const Json& candidate) {
      return table ? !table_difference(text, candidate.as_string()).has_value()
                   : !missing_fact(facts, candidate.as_string()).has_value();
    };
    std::size_t found = next;
    while (found < candidates.size() && !fits(candidates[found])) ++found;
    if (found == candidates.size()) {
      std::string problem = "no message of ours has the facts of '" + text + "'";
      if (next > 0) problem += " after '" + candidates[next - 1].as_string() + "'";
      for (std::size_t i = next; i < candidates.size() && i < next + 3; ++i) {
        const std::string& candidate = candidates[i].as_string();
        problem += "; '" + candidate + "' ";
        problem += table ? table_difference(text, candidate).value_or("")
                         : "lacks " + missing_fact(facts, candidate).value_or("nothing");
      }
      return problem;
    }
    next = found + 1;
  }
  return {};
}

}  // namespace grapnel::oracle
