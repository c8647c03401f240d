// Data from a safetensors file of tensors [N, ...] with the same N, as Python's
// safetensors.numpy.save_file writes it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "grapnel/data/tensor_data_module.h"
#include "grapnel/export.h"

namespace grapnel {

struct SafetensorsDataOptions {
  std::filesystem::path path;
  std::vector<std::string> tensors = {"input", "target"};  // names in the file; batches have them
  std::filesystem::path test_path = {};  // a file of the same names; empty: a share of the first
  SplitOptions parts = {};
  DataOptions loading = {};
};

class GRAPNEL_CORE_API SafetensorsDataModule : public TensorDataModule {
 public:
  // Files are read by setup, which throws DataError when one is not well-formed, has no such tensor
  // (naming the nearest), or tensors of different lengths. Throws ConfigError without names.
  explicit SafetensorsDataModule(SafetensorsDataOptions options);

  static const OptionsTable<SafetensorsDataOptions>& options_table();

 protected:
  void load() override;

 private:
  SafetensorsDataOptions options_;
};

}  // namespace grapnel
