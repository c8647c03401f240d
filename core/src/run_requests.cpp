// Requests: where they are allowed, and what the loop makes of them.
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse(RequestKind kind, std::string_view where, std::string_view accepted) {
  throw ConfigError(
      {}, fmt::format("a request to {} has no meaning in {}; it is possible {}", to_string(kind),
                      where.empty() ? "this place" : where, accepted));
}

}  // namespace

void Run::request(RequestKind kind, std::string reason) {
  const std::string_view where = hooks.running();
  if (kind == RequestKind::skip_batch && where != "on_train_batch_start") {
    refuse(kind, where, "in on_train_batch_start");
  }
  if (kind == RequestKind::skip_step && where != "on_before_optimizer_step") {
    refuse(kind, where, "in on_before_optimizer_step");
  }
  if (state.kind != RunKind::fit || state.status != Status::running) {
    refuse(kind, where, "while fit runs");
  }
  Request request{kind, std::move(reason), hooks.author(), global_step(), current_epoch()};
  if (kind != RequestKind::stop) {
    pending.push_back(std::move(request));
    return;
  }
  // A stop takes effect where the loop looks at the flag: after the running batch or epoch.
  if (!state.should_stop) {
    log_info("{} asks to stop at step {}: {}", request.author, request.global_step, request.reason);
  }
  state.should_stop = true;
  granted.push_back(std::move(request));
}

bool Run::take_request(RequestKind kind) {
  bool found = false;
  for (auto it = pending.begin(); it != pending.end();) {
    if (it->kind != kind) {
      ++it;
      continue;
    }
    log_info("{} at step {}, asked by {}: {}", to_string(kind), it->global_step, it->author,
             it->reason);
    granted.push_back(std::move(*it));
    it = pending.erase(it);
    found = true;
  }
  return found;
}

Run::BatchDecision Run::decide_after_batch() {
  BatchDecision decision;
  if (pending.empty()) return decision;
  decision.end_epoch = take_request(RequestKind::end_epoch);
  decision.evaluate = take_request(RequestKind::evaluate);
  if (take_request(RequestKind::save)) {
    const auto directory = trainer.log_dir() / "checkpoints";
    save_checkpoint(directory / fmt::format("request-step={}.ckpt", global_step()), false);
  }
  return decision;
}

bool Run::set_should_stop(bool value) {
  if (value && !state.should_stop && state.kind == RunKind::fit) {
    granted.push_back(
        {RequestKind::stop, "should_stop was set", hooks.author(), global_step(), current_epoch()});
  }
  return state.should_stop = value;
}

void Run::throw_if_interrupted() {
  if (const int number = signal.exchange(0); number != 0) throw Interrupted(number);
}

}  // namespace grapnel
