#include "process_watch.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/bridge/process_state_claim.h>

#include "forks.h"

namespace grapnel::bridge {
namespace {

using host::ProcessStateGuard;

struct Claim {
  ProcessStateGuard* state;
  std::int64_t process;
  std::set<std::string> plugins;  // that have been called since
};
thread_local Claim* claim = nullptr;

// Undoes what was changed since the claim, and says by whom it can only have been.
void undo_earlier_changes(const std::string& before) {
  const std::vector<std::string> plugins(claim->plugins.begin(), claim->plugins.end());
  const std::string who = plugins.size() == 1 ? fmt::format("[{}]", plugins.front())
                                              : "one of the plugins " + join_quoted(plugins, "and");
  for (const std::string& change : claim->state->restore()) {
    log_warning("{} changed {} in a hook before {}, which belongs to the whole process; restored",
                who, change, before);
  }
}

ProcessStateGuard::Extent extent_of(const Call& call) {
  return call.in_hook ? ProcessStateGuard::Extent::of_a_hook
                      : ProcessStateGuard::Extent::everything;
}

}  // namespace

ProcessStateClaim::ProcessStateClaim()
    : state_(std::make_unique<ProcessStateGuard>(ProcessStateGuard::Extent::of_a_run)) {
  claim = new Claim{state_.get(), process_id(), {}};
}

ProcessStateClaim::~ProcessStateClaim() {
  try {
    if (!claim->plugins.empty()) undo_earlier_changes("the end of the run");
  } catch (const std::exception& error) {
    log_error("cannot compare the state of the process: {}", error.what());
  }
  delete claim;
  claim = nullptr;
}

ProcessWatch::ProcessWatch(InstanceHost& host, const Call& call)
    : host_(host), call_(call), process_(process_id()) {
  state_.emplace(extent_of(call));
  if (claim == nullptr) return;
  if (claim->process != process_) end_forked_child();
  if (!claim->state->changes_until(*state_).empty()) {
    undo_earlier_changes(call.name);
    state_.emplace(extent_of(call));
  }
  claim->plugins.insert(host.site().plugin);
}

void ProcessWatch::undo_changes() {
  if (process_id() != process_) end_forked_child();
  std::vector<std::string> changes = state_->restore();
  if (claim != nullptr) {  // streams; the rest is undone
    for (std::string& change : claim->state->restore()) changes.push_back(std::move(change));
  }
  for (const std::string& change : changes) {
    const std::string line = fmt::format(
        "changed {} in {}, which belongs to the whole process; restored", change, call_.name);
    host_.log_once(LogLevel::warning, line, line);
  }
}

}  // namespace grapnel::bridge
