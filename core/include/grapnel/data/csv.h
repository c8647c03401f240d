// Data from a CSV file of numbers.
//
// The first line names the columns. Every other line has one field per column, a number each
// ("0.5", "1e-3", "nan" for a missing one where the model can bear it), with or without double
// quotes, spaces around it ignored; empty lines are passed over. Lines end with LF, or
// with CR in a file without any LF. Numbers are read the same in every locale.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "grapnel/data/tensor_data_module.h"
#include "grapnel/export.h"

namespace grapnel {

struct CsvTable {
  std::vector<std::string> columns;
  at::Tensor rows;  // [N, columns] float64
};

// DataError with the path, line and column, saying what was found, for anything else than the form
// above; IoError when the file can't be read.
GRAPNEL_CORE_API CsvTable read_csv(const std::filesystem::path& path, char delimiter = ',');

struct CsvDataOptions {
  std::filesystem::path path;
  std::string target;                      // name of the column to predict
  std::vector<std::string> features = {};  // names of the inputs' columns; empty: all others
  bool classes = true;  // the target is a class 0, 1, ... [N] int64; else a number [N, 1] float32
  char delimiter = ',';
  SplitOptions parts = {};
  DataOptions loading = {};
};

// Batches are "input" [N, features] float32 and "target".
class GRAPNEL_CORE_API CsvDataModule : public TensorDataModule {
 public:
  // Throws ConfigError when features names a column twice, or the target. The file is read by setup,
  // which throws DataError when a column is missing (naming the nearest) or a class is no whole
  // number from 0, and logs a warning about numbers that are nan or infinite in float32.
  explicit CsvDataModule(CsvDataOptions options);

  static const OptionsTable<CsvDataOptions>& options_table();

 protected:
  void load() override;

 private:
  CsvDataOptions options_;
};

}  // namespace grapnel
