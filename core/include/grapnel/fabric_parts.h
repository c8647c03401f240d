// Parts of Fabric's interface (<grapnel/fabric.h>): an optimizer whose steps it counts, a loader
// that moves batches to the device, the items of a checkpoint.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/module.h"
#include "grapnel/optimizer.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class Fabric;

// An optimizer that was set up: Fabric counts its steps and calls callbacks after each. Copies
// refer to the same optimizer. Must not outlive its Fabric.
class GRAPNEL_CORE_API FabricOptimizer {
 public:
  // One step, then on_after_optimizer_step.
  ClosureResult step(const Closure& closure = {});
  void zero_grad(bool set_to_none = true) { optimizer_->zero_grad(set_to_none); }
  Optimizer& optimizer() const { return *optimizer_; }
  const std::shared_ptr<Optimizer>& pointer() const { return optimizer_; }
  size_t index() const { return index_; }  // in the order they were set up

 private:
  friend class Fabric;
  FabricOptimizer(Fabric& fabric, std::shared_ptr<Optimizer> optimizer, size_t index)
      : fabric_(&fabric), optimizer_(std::move(optimizer)), index_(index) {}

  Fabric* fabric_;
  std::shared_ptr<Optimizer> optimizer_;
  size_t index_;
};

// The batches of a loader, on the device. Each loop over it is one epoch, numbered from 0 or as set
// by set_epoch.
class GRAPNEL_CORE_API FabricDataLoader {
 public:
  FabricDataLoader(std::shared_ptr<DataLoader> loader, at::Device device);

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = Batch*;
    using reference = Batch&;

    Batch& operator*() const { return owner_->batch_; }
    Batch* operator->() const { return &owner_->batch_; }
    Iterator& operator++() {
      if (!owner_->fetch()) owner_ = nullptr;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    friend class FabricDataLoader;
    FabricDataLoader* owner_ = nullptr;  // null: past the last batch
  };

  // Starts the next epoch, on a cursor of the loader. One loop at a time.
  Iterator begin();
  Iterator end() { return {}; }

  // Of the next loop; a loader that shuffles takes its order from it.
  void set_epoch(int64_t epoch) { epoch_ = epoch; }
  DataLoader& loader() const { return *loader_; }

 private:
  bool fetch();

  std::shared_ptr<DataLoader> loader_;
  std::shared_ptr<DataLoader> cursor_;  // of the loop
  at::Device device_;
  int64_t epoch_ = 0;
  Batch batch_;
};

// One item of a checkpoint: a plain value, or an object with a state, which load() restores.
class GRAPNEL_CORE_API FabricItem {
 public:
  template <class T>
  requires(std::constructible_from<StateValue, T> &&
           (!std::is_pointer_v<T> || std::is_same_v<T, const char*>)) FabricItem(T value)
      : target_(StateValue(std::move(value))) {}
  FabricItem(Module& module) : target_(&module) {}
  FabricItem(const FabricOptimizer& optimizer) : target_(optimizer.pointer().get()) {}
  FabricItem(Optimizer& optimizer) : target_(&optimizer) {}
  FabricItem(LRScheduler& scheduler) : target_(&scheduler) {}

  using Target = std::variant<StateValue, Module*, Optimizer*, LRScheduler*>;
  const Target& target() const { return target_; }

 private:
  Target target_;
};

// Names and items: {{"model", net}, {"optimizer", optimizer}, {"epoch", 3}}. "callbacks" is taken.
using FabricState = std::vector<std::pair<std::string, FabricItem>>;

}  // namespace grapnel
