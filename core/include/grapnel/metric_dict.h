// Metrics by name, as callbacks, progress bars and loggers see them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/device_scalar.h"
#include "grapnel/export.h"

namespace grapnel {

// The latest values by name, in the order the names first came.
class GRAPNEL_CORE_API MetricDict {
 public:
  struct Entry {
    std::string name;
    DeviceScalar value;
    int64_t global_step = 0;  // at which it was made
  };

  const Entry* find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // The number; waits for the device. Throws MetricError naming the available ones.
  double at(std::string_view name) const;
  void set(std::string_view name, DeviceScalar value, int64_t global_step);
  void update(const MetricDict& other);
  bool erase(std::string_view name);
  void clear() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }
  std::vector<std::string> names() const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace grapnel
