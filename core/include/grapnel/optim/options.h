// What the options of all optimizers have in common: the default values of a group by name, and
// their check against the table of options, the only place of names, ranges and meanings.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/optimizer.h"

namespace grapnel {

// An optimizer whose group options are the rows of a table: numbers, and flags as 0 or 1.
class GRAPNEL_CORE_API TableOptimizer : public Optimizer {
 public:
  // "SGD", ...: the table's name.
  std::string type_name() const override { return table_.name(); }

  // The options with their ranges and meanings, as run.json takes them.
  const ParameterTable& parameters() const { return table_; }

  const std::map<std::string, double, std::less<>>& defaults() const override { return defaults_; }

 protected:
  // `table` lives as long as the process.
  template <class O>
  TableOptimizer(const OptionsTable<O>& table, const O& options)
      : TableOptimizer(table.parameters(), table.write(options)) {}
  TableOptimizer(const ParameterTable& table, const ConfigValue& options);

  // Every option of the group lies in its row's range.
  void validate(const ParamGroup& group) const override;

 private:
  const ParameterTable& table_;
  std::map<std::string, double, std::less<>> defaults_;
};

}  // namespace grapnel
