// Words that a message may have to name: those of a case, and those of the library's own interface.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

struct Vocabulary {
  std::set<std::string> words;
  // Numbers that the case gives as arguments of callbacks and schedulers.
  std::vector<double> argument_numbers;
  // Numeric options of the trainer, by name; an option may have several values over a sequence.
  std::vector<std::pair<std::string, double>> option_numbers;
};

// What the case itself names: trainer options, callbacks with their arguments, log directives,
// optimizers, schedulers, methods left out, checkpoint paths. Not its data and not what is expected.
Vocabulary vocabulary_of(const Case& test);

// Hooks, methods and trainer options: what a user can look up.
const std::set<std::string>& interface_names();

}  // namespace grapnel::oracle
