#include "grapnel/layer_observer.h"

#include <utility>

namespace grapnel {

namespace {

thread_local LayerObserver::Scope* newest_scope = nullptr;

}  // namespace

LayerObserver::~LayerObserver() = default;

bool LayerObserver::watching() {
  return newest_scope != nullptr;
}

LayerObserver::Scope::Scope(LayerObserver& observer) : observer_(observer), before_(newest_scope) {
  newest_scope = this;
}

// Callbacks keep scopes from one hook to another, so the newest isn't always the first to end.
LayerObserver::Scope::~Scope() {
  Scope** link = &newest_scope;
  while (*link != this && *link != nullptr) link = &(*link)->before_;
  if (*link == this) *link = before_;
}

LayerObserver::Pause::Pause() : watching_(std::exchange(newest_scope, nullptr)) {}

LayerObserver::Pause::~Pause() {
  newest_scope = watching_;
}

LayerCall::LayerCall(const void* layer) : layer_(layer) {
  LayerObserver::Scope* scope = newest_scope;
  try {
    for (; scope != nullptr; scope = scope->before_) scope->observer_.on_enter(layer_);
  } catch (...) {
    for (auto* entered = newest_scope; entered != scope; entered = entered->before_) {
      entered->observer_.on_leave(layer_);
    }
    throw;
  }
}

LayerCall::~LayerCall() {
  for (auto* scope = newest_scope; scope != nullptr; scope = scope->before_) {
    scope->observer_.on_leave(layer_);
  }
}

void LayerCall::forwarded(const TensorTree& inputs, const TensorTree& output) {
  for (auto* scope = newest_scope; scope != nullptr; scope = scope->before_) {
    scope->observer_.on_forward(layer_, inputs, output);
  }
}

}  // namespace grapnel
