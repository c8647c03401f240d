#include "run/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

void Requests::begin_run() {
  signal_ = 0;
  asked_.clear();
  granted_.clear();
  if (state_.kind != RunKind::fit) return;
  place_ = Place::outside;
  stop_.reset();
  state_.should_stop = false;
}

std::string_view Requests::refusal(RequestKind kind) const {
  const std::string_view where = hooks_.running();
  if (kind == RequestKind::skip_batch && where != "on_train_batch_start") {
    return "in on_train_batch_start";
  }
  if (kind == RequestKind::skip_step && where != "on_before_optimizer_step") {
    return "in on_before_optimizer_step";
  }
  if (state_.kind != RunKind::fit || state_.status != Status::running) return "while fit runs";
  if (place_ == Place::own_loop) return {};
  switch (kind) {
    case RequestKind::stop:
      return where == "teardown" || where == "on_run_end" ? "while fit runs, until its teardown"
                                                          : "";
    case RequestKind::save:
      return place_ == Place::outside ? "from on_train_epoch_start to on_train_epoch_end" : "";
    case RequestKind::end_epoch:
    case RequestKind::evaluate:
      if (place_ != Place::batches) {
        return "from on_train_epoch_start to the end of the epoch's last batch";
      }
      return kind == RequestKind::evaluate && state_.stage != Stage::train
                 ? "outside of a validation"
                 : "";
    case RequestKind::skip_batch:
    case RequestKind::skip_step:
      break;
  }
  return {};
}

void Requests::ask(RequestKind kind, std::string reason, int64_t global_step) {
  if (const std::string_view possible = refusal(kind); !possible.empty()) {
    const std::string_view where = hooks_.running();
    throw ConfigError(
        {}, fmt::format("a request to {} has no meaning in {}; it is possible {}", to_string(kind),
                        where.empty() ? "this place" : where, possible));
  }
  Request request{kind, std::move(reason), hooks_.author(), global_step,
                  state_.epoch.current.completed};
  if (kind != RequestKind::stop) {
    asked_.push_back(std::move(request));
    return;
  }
  // A stop takes effect where the loop looks at the flag: after the running batch or epoch.
  if (std::exchange(state_.should_stop, true)) return;
  log_info("{} requested a stop at step {}: {}", request.author, request.global_step,
           request.reason);
  stop_ = request;
  granted_.push_back(std::move(request));
}

bool Requests::take(RequestKind kind) {
  bool found = false;
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (it->kind != kind) {
      ++it;
      continue;
    }
    log_info("{} at step {}, requested by {}: {}", to_string(kind), it->global_step, it->author,
             it->reason);
    granted_.push_back(std::move(*it));
    it = asked_.erase(it);
    found = true;
  }
  return found;
}

bool Requests::asked(RequestKind kind) const {
  return std::any_of(asked_.begin(), asked_.end(),
                     [kind](const Request& one) { return one.kind == kind; });
}

void Requests::drop(std::initializer_list<RequestKind> kinds) {
  std::erase_if(asked_, [&](const Request& one) {
    return std::find(kinds.begin(), kinds.end(), one.kind) != kinds.end();
  });
}

void Requests::set_should_stop(bool value, int64_t global_step) {
  if (!value) {
    stop_.reset();
  } else if (!state_.should_stop && state_.kind == RunKind::fit) {
    stop_ = Request{RequestKind::stop, "should_stop was set", hooks_.author(), global_step,
                    state_.epoch.current.completed};
    granted_.push_back(*stop_);
  }
  state_.should_stop = value;
}

void Requests::throw_if_interrupted() {
  if (const int number = signal_.exchange(0); number != 0) throw Interrupted(number);
}

}  // namespace grapnel
