#include "grapnel/layer_observer.h"

namespace grapnel {

namespace {

thread_local LayerObserver* watching = nullptr;

}  // namespace

LayerObserver::~LayerObserver() = default;

LayerObserver* LayerObserver::current() {
  return watching;
}

LayerObserver::Scope::Scope(LayerObserver& observer) : before_(watching) {
  watching = &observer;
}

LayerObserver::Scope::~Scope() {
  watching = before_;
}

}  // namespace grapnel
