#include "grapnel/layer_observer.h"

namespace grapnel {

namespace {

thread_local LayerObserver* current_observer = nullptr;

}  // namespace

LayerObserver::~LayerObserver() = default;

LayerObserver* LayerObserver::current() {
  return current_observer;
}

LayerObserver::Scope::Scope(LayerObserver& observer) : before_(current_observer) {
  current_observer = &observer;
}

LayerObserver::Scope::~Scope() {
  current_observer = before_;
}

}  // namespace grapnel
