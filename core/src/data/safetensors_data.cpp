#include "grapnel/data/safetensors_data.h"

#include <fmt/format.h>

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
      const auto candidate = nearest(name, known);
      throw DataError(fmt::format("there is no tensor {}{}; there are {}", quote(name),
                                  candidate ? "; did you mean " + quote(*candidate) + "?" : "",
                                  join_quoted(known, "and")),
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
  if (options_.tensors.empty()) {
    throw ConfigError({}, "safetensors data needs the name of at least one tensor", "tensors");
  }
  names_ = options_.tensors;
}

const ParameterTable& SafetensorsDataModule::table() {
  using namespace parameter;
  static const ParameterTable table = [] {
    std::vector<ParameterSpec> specs = {
        string("path").doc("Path of the file."),
        string_list("tensors", {"input", "target"})
            .items(1, 64)
            .doc("Names of its tensors that make a batch, the input first."),
        string("test_path", "").doc("A file with the test part; empty: a share of the first.")};
    for (ParameterSpec& spec : split_option_specs()) specs.push_back(std::move(spec));
    for (ParameterSpec& spec : data_option_specs()) specs.push_back(std::move(spec));
    return ParameterTable("safetensors", "Tensors from a safetensors file.", std::move(specs));
  }();
  return table;
}

SafetensorsDataOptions SafetensorsDataModule::read(const Parameters& p) {
  return {.path = p.get<std::string>("path"),
          .tensors = p.get<std::vector<std::string>>("tensors"),
          .test_path = p.get<std::string>("test_path"),
          .parts = read_split_options(p),
          .loading = read_data_options(p)};
}

void SafetensorsDataModule::load() {
  SplitOptions parts = options_.parts;
  if (!options_.test_path.empty()) parts.test_fraction = 0.0;
  split(read_tensors(options_.path, options_.tensors), parts);
  if (!options_.test_path.empty()) test_ = read_tensors(options_.test_path, options_.tensors);
}

}  // namespace grapnel
