// Compares messages by the facts in them.
//
// The wording is ours; what a message must name is what the recorded one names. Facts are taken from
// the recorded text by rules that know nothing of the case's name:
//
//   names    words that are also written in the case: option names and values, monitored and logged
//            metrics, callbacks, schedulers, hooks (not its data, nor its expectation); where there
//            is none, the first hook, method or trainer option in the first sentence
//   numbers  of a log message: all; of an error or a warning: those that the case gives as a
//            callback's argument, or as the value of an option that the text names
//   paths    below {DIR}; the file's own name is enough
//
// What follows "HINT:" is advice and holds no facts. A name counts as named when it stands anywhere in
// our text. A number counts as named when our text has one equal to it in the digits that are printed;
// durations "0:01:30" are 90 seconds.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

enum class MessageKind { error, log };

struct Facts {
  std::vector<std::string> names;
  std::vector<std::string> numbers;  // as they are printed
};

Facts facts_of(std::string_view recorded, const Case& test, MessageKind kind);

// What our text leaves out; nothing when it names all facts.
std::optional<std::string> missing_fact(const Facts& facts, std::string_view ours);

// One log message of our own for each recorded one, in the same order; more of ours may stand between
// them. Returns the first recorded one that ours lack.
std::optional<std::string> missing_message(const Json& recorded, const Json& ours, const Case& test,
                                           MessageKind kind);

}  // namespace grapnel::oracle
