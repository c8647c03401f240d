#include "usage.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include <grapnel/base/text.h>

namespace grapnel::program {
namespace {

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* child :
       command.get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); })) {
    names.push_back(child->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr
             ? command.get_name()
             : full_name(*command.get_parent()) + " " + command.get_name();
}

std::string explain_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = innermost(app);
  const std::vector<std::string> known = subcommand_names(command);
  const std::vector<std::string> left = command.remaining();
  if (!left.empty() && left.front().starts_with('-')) {
    const std::string word = left.front().substr(0, left.front().find('='));
    return fmt::format("'{}' has no option {}{}", full_name(command), quote(word),
                       did_you_mean(word, option_names(command)));
  }
  if (!left.empty() && !known.empty()) {
    return fmt::format("'{}' has no command {}; it has {}{}", full_name(command),
                       quote(left.front()), join_quoted(known, "and"),
                       did_you_mean(left.front(), known));
  }
  if (!left.empty()) {
    return fmt::format("'{}' takes no argument {}", full_name(command), quote(left.front()));
  }
  if (!known.empty()) {
    return fmt::format("'{}' needs a command: {}", full_name(command), join_quoted(known));
  }
  return printable(error.what());
}

}  // namespace grapnel::program
