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

namespace {

StateDict to_state(const Request& request) {
  return {{"kind", static_cast<int64_t>(request.kind)},
          {"reason", request.reason},
          {"author", request.author},
          {"global_step", request.global_step},
          {"epoch", request.epoch}};
}

Request from_state(const StateDict& state) {
  const int64_t kind = state.at("kind").to_int();
  if (kind < static_cast<int64_t>(RequestKind::stop) ||
      kind > static_cast<int64_t>(RequestKind::save)) {
    throw CheckpointError({},
                          fmt::format("loops.fit_loop.requests: there is no request of kind {}; "
                                      "the file is damaged or of a newer version",
                                      kind));
  }
  return {static_cast<RequestKind>(kind), state.at("reason").to_string(),
          state.at("author").to_string(), state.at("global_step").to_int(),
          state.at("epoch").to_int()};
}

}  // namespace

StateDict Requests::state_dict(bool with_stop) const {
  StateList asked;
  for (const Request& request : asked_) {
    // The batch that they are about is done again, and so are they.
    const bool again =
        request.kind == RequestKind::skip_batch || request.kind == RequestKind::skip_step;
    if (!again) asked.emplace_back(to_state(request));
  }
  StateDict state{{"asked", std::move(asked)}};
  if (with_stop && state_.should_stop && stop_.has_value()) state["stop"] = to_state(*stop_);
  return state;
}

// Of a callback that has requested its stop anew, before it was known where the run is: it is the one
// that the checkpoint's run was stopped by.
void Requests::take_up(const Request& stop) {
  if (!stop_.has_value() || stop_->author != stop.author) return;
  std::replace_if(
      granted_.begin(), granted_.end(),
      [](const Request& one) { return one.kind == RequestKind::stop; }, stop);
  stop_ = stop;
}

void Requests::load_state_dict(const StateDict& state,
                               const std::function<bool(const std::string& author)>& restores) {
  std::vector<Request> asked;
  for (const StateValue& each : state.at("asked").to_list()) {
    asked.push_back(from_state(each.to_dict()));
  }
  const StateValue* saved = state.find("stop");
  std::optional<Request> stop;
  if (saved != nullptr) stop = from_state(saved->to_dict());
  asked_ = std::move(asked);
  if (!stop.has_value()) return;
  if (state_.should_stop) return take_up(*stop);
  if (!restores(stop->author)) return;
  log_info("{} requested a stop at step {}, before the checkpoint was written: {}", stop->author,
           stop->global_step, stop->reason);
  state_.should_stop = true;
  stop_ = stop;
  granted_.push_back(*std::move(stop));
}

void Requests::throw_if_interrupted() {
  if (const int number = signal_.exchange(0); number != 0) throw Interrupted(number);
}

}  // namespace grapnel
