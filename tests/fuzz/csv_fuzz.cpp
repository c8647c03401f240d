// Any bytes as a CSV file: refused with a DataError, or a table; and as data with a class or a number to
// predict: refused with a DataError or a ConfigError, or samples whose classes are whole numbers from 0.
#include <grapnel/data/csv.h>

#include <grapnel/base/error.h>

#include "fuzz_target.h"
#include "input_file.h"

namespace csv_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

void load(const std::filesystem::path& path, const std::string& target, bool classes) {
  try {
    CsvDataModule data({.path = path, .target = target, .classes = classes});
    data.setup(RunKind::fit);
    const at::Tensor& targets = data.train_split().at(1);
    require(data.train_split().at(0).size(0) == targets.size(0));
    if (!classes) return;
    const auto* numbers = targets.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < targets.numel(); ++i) require(numbers[i] >= 0);
  } catch (const DataError&) {
  } catch (const ConfigError&) {
  }
}

}  // namespace

GRAPNEL_FUZZ_TARGET(csv) {
  static const fuzz::InputFile file("data.csv");
  const std::filesystem::path& path = file.write(bytes);
  try {
    const CsvTable table = read_csv(path);
    require(table.rows.size(1) == static_cast<std::int64_t>(table.columns.size()));
    load(path, table.columns.back(), true);
    load(path, table.columns.front(), false);
    return;
  } catch (const DataError&) {
  }
  try {
    (void)read_csv(path, ';');
  } catch (const DataError&) {
  }
}

}  // namespace csv_fuzz
