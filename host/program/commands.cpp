#include "commands.h"

#include "probe_child.h"
#include "run_program.h"
#include "validate_child.h"

namespace grapnel::program {
namespace {

struct Group {
  const char* name;
  const char* summary;
};

constexpr Group groups[] = {
    {"plugin", "List, enable and check plugins"},
    {"checkpoint", "Inspect, compare and export checkpoints"},
};

struct Command {
  const char* group;  // nullptr: directly below `grapnel`
  void (*add)(CLI::App& parent, Context& context);
};

constexpr Command commands[] = {
    {"plugin", add_plugin_list},         {"plugin", add_plugin_inspect},
    {"plugin", add_plugin_enable},       {"plugin", add_plugin_disable},
    {"plugin", add_plugin_validate},     {"plugin", add_plugin_path},
    {"checkpoint", add_checkpoint_show}, {"checkpoint", add_checkpoint_verify},
    {"checkpoint", add_checkpoint_diff}, {"checkpoint", add_checkpoint_export},
    {nullptr, add_probe_child},          {nullptr, add_validate_child},
};

}  // namespace

void add_commands(CLI::App& app, Context& context) {
  add_run_commands(app);
  for (const Group& group : groups) app.add_subcommand(group.name, group.summary);
  for (const Command& command : commands) {
    command.add(command.group == nullptr ? app : *app.get_subcommand(command.group), context);
  }
}

}  // namespace grapnel::program
