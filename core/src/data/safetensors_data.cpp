#include "grapnel/data/safetensors_data.h"

#include <fmt/format.h>

#include "data/shared_options.h"
#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/tensor_bytes.h"

namespace grapnel {

namespace {

DataSplit read_tensors(const std::filesystem::path& path, const std::vector<std::string>& names) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  DataSplit tensors;
  for (const std::string& name : names) {
    const TensorEntry* entry = file.find(name);
    if (entry == nullptr) {
      std::vector<std::string> known;
      for (const TensorEntry& other : file.tensors()) known.push_back(other.name);
      throw DataError(fmt::format("there is no tensor {}{}; there are {}", quote(name),
                                  did_you_mean(name, known), join_quoted(known, "and")),
                      path);
    }
    tensors.push_back(tensor_from_bytes(*entry, file.bytes(*entry)));
    if (tensors.back().dim() == 0 || tensors.back().size(0) != tensors.front().size(0)) {
      throw DataError(fmt::format("the tensors {} and {} have different numbers of samples",
                                  quote(names.front()), quote(name)),
                      path);
    }
  }
  return tensors;
}

}  // namespace

SafetensorsDataModule::SafetensorsDataModule(SafetensorsDataOptions options)
    : TensorDataModule(options.loading), options_(std::move(options)) {
  options_table().check(options_, "SafetensorsDataModule");
  names_ = options_.tensors;
}

const OptionsTable<SafetensorsDataOptions>& SafetensorsDataModule::options_table() {
  using O = SafetensorsDataOptions;
  static const OptionsTable<SafetensorsDataOptions> table(
      "safetensors", "Tensors from a safetensors file.",
      {option("path", &O::path).required().doc("Path of the file."),
       option("tensors", &O::tensors)
           .items(1, 64)
           .doc("Names of its tensors that make a batch, the input first."),
       option("test_path", &O::test_path)
           .doc("A file with the test part; empty: a share of the first."),
       embed(&O::parts, split_options()), embed(&O::loading, loading_options())});
  return table;
}

void SafetensorsDataModule::load() {
  SplitOptions parts = options_.parts;
  if (!options_.test_path.empty()) parts.test_fraction = 0.0;
  split(read_tensors(options_.path, options_.tensors), parts, {.file = options_.path});
  if (!options_.test_path.empty()) {
    set_test(read_tensors(options_.test_path, options_.tensors), {.file = options_.test_path});
  }
}

}  // namespace grapnel
