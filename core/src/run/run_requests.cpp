// Requests: where they are allowed, and what the loop makes of them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/fit_loop.h"
#include "run/run.h"

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
  // What comes after a batch needs a batch that is still to come or to end. A loop of the user's
  // own takes its requests itself.
  if (const bool own_loop = log_directly != nullptr; !own_loop) {
    if (kind == RequestKind::save && fit->place() == FitLoop::Place::outside) {
      refuse(kind, where, "from on_train_epoch_start to on_train_epoch_end");
    }
    if ((kind == RequestKind::end_epoch || kind == RequestKind::evaluate) &&
        fit->place() != FitLoop::Place::batches) {
      refuse(kind, where, "from on_train_epoch_start to the end of the epoch's last batch");
    }
    if (kind == RequestKind::evaluate && state.stage != Stage::train) {
      refuse(kind, where, "outside of a validation");
    }
  }
  Request request{kind, std::move(reason), hooks.author(), global_step(), current_epoch()};
  if (kind != RequestKind::stop) {
    pending.push_back(std::move(request));
    return;
  }
  // A stop takes effect where the loop looks at the flag: after the running batch or epoch.
  if (std::exchange(state.should_stop, true)) return;
  log_info("{} asks to stop at step {}: {}", request.author, request.global_step, request.reason);
  stop = request;
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
  decision.evaluate = take_evaluation();
  save_if_requested();
  return decision;
}

bool Run::take_evaluation() {
  if (trainer.validation_enabled()) return take_request(RequestKind::evaluate);
  if (std::any_of(pending.begin(), pending.end(),
                  [](const Request& one) { return one.kind == RequestKind::evaluate; })) {
    log_once("request-no-validation", LogLevel::warning,
             "a request to evaluate is not granted: this fit has no validation data, no "
             "validation_step, or limit_val_batches=0");
    drop_requests({RequestKind::evaluate});
  }
  return false;
}

void Run::save_if_requested() {
  if (!take_request(RequestKind::save)) return;
  const auto directory = trainer.log_dir() / "checkpoints";
  save_checkpoint(directory / fmt::format("request-step={}.ckpt", global_step()), false);
}

void Run::drop_requests(std::initializer_list<RequestKind> kinds) {
  std::erase_if(pending, [&](const Request& one) {
    return std::find(kinds.begin(), kinds.end(), one.kind) != kinds.end();
  });
}

bool Run::set_should_stop(bool value) {
  if (!value) {
    stop.reset();
  } else if (!state.should_stop && state.kind == RunKind::fit) {
    stop = Request{RequestKind::stop, "should_stop was set", hooks.author(), global_step(),
                   current_epoch()};
    granted.push_back(*stop);
  }
  return state.should_stop = value;
}

void Run::throw_if_interrupted() {
  if (const int number = signal.exchange(0); number != 0) throw Interrupted(number);
}

}  // namespace grapnel
