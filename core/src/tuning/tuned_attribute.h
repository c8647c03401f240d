// A number of the user's that a tuner reads and sets: an attribute of the module or the data
// module, or one of their hyper-parameters. Several places may have it; they are set alike.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/module.h"

namespace grapnel {

template <class T>
class TunedAttribute {
 public:
  T get() const { return places_.front().get(); }
  void set(T value) const {
    for (const Place& place : places_) place.set(value);
  }
  bool found() const { return !places_.empty(); }
  const std::string& name() const { return name_; }

  struct Place {
    std::function<T()> get;
    std::function<void(T)> set;
  };
  explicit TunedAttribute(std::string name) : name_(std::move(name)) {}
  void add(Place place) { places_.push_back(std::move(place)); }

 private:
  std::string name_;
  std::vector<Place> places_;
};

// name: empty for "lr", else "learning_rate". Throws ConfigError when there is none.
TunedAttribute<double> learning_rate_attribute(Module& module, const std::string& name);

// data: nullptr where there is no data module. Throws ConfigError when there is none; warns when
// the module has it twice.
TunedAttribute<int64_t> batch_size_attribute(Module& module, DataModule* data,
                                             const std::string& name);

}  // namespace grapnel
