// What the options of all optimizers have in common: the default values of a group by name, and
// their check against the table of parameters, where names, ranges and meanings stand once.
#pragma once

#include <map>
#include <string>

#include "grapnel/base/parameters.h"
#include "grapnel/export.h"
#include "grapnel/optimizer.h"

namespace grapnel {

// An optimizer whose group options are the rows of a table: numbers, and flags as 0 or 1.
class GRAPNEL_CORE_API TableOptimizer : public Optimizer {
 public:
  const std::map<std::string, double, std::less<>>& defaults() const override { return defaults_; }

  // The options of a group with their ranges and meanings; also those of run.json.
  virtual const ParameterTable& parameters() const = 0;

 protected:
  explicit TableOptimizer(std::map<std::string, double, std::less<>> defaults)
      : defaults_(std::move(defaults)) {}

  // Every option of the group lies in its row's range.
  void validate(const ParamGroup& group) const override;

 private:
  std::map<std::string, double, std::less<>> defaults_;
};

}  // namespace grapnel
