#include "predictions.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <map>
#include <span>
#include <string>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/safetensors.h>
#include <grapnel/base/text.h>
#include <grapnel/checkpoint.h>

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

// Outputs of one loader: name and tensor [N, ...], in the order of the tree.
using Outputs = std::vector<std::pair<std::string, at::Tensor>>;

void collect(const TensorTree& tree, const std::string& name,
             std::vector<std::pair<std::string, std::vector<at::Tensor>>>& into) {
  if (tree.tensor.defined()) {
    const std::string own = name.empty() ? "prediction" : name;
    for (auto& [known, tensors] : into) {
      if (known == own) return tensors.push_back(tree.tensor);
    }
    into.push_back({own, {tree.tensor}});
  }
  std::size_t index = 0;
  for (const auto& [child_name, child] : tree.children) {
    const std::string part = child_name.empty() ? std::to_string(index) : child_name;
    collect(child, name.empty() ? part : name + "." + part, into);
    ++index;
  }
}

Outputs joined(const Predictions& batches) {
  std::vector<std::pair<std::string, std::vector<at::Tensor>>> parts;
  for (const TensorTree& batch : batches) collect(batch, "", parts);
  Outputs outputs;
  for (auto& [name, tensors] : parts) {
    for (at::Tensor& tensor : tensors) {
      if (tensor.dim() == 0) tensor = tensor.reshape({1});  // one number per batch
    }
    outputs.emplace_back(name, at::cat(tensors).contiguous());
  }
  for (const auto& [name, tensor] : outputs) {
    if (tensor.size(0) == outputs.front().second.size(0)) continue;
    throw DataError(fmt::format("the predictions have {} rows of {}, but {} of {}",
                                outputs.front().second.size(0), quote(outputs.front().first),
                                tensor.size(0), quote(name)));
  }
  return outputs;
}

void write_csv(const fs::path& file, const Outputs& outputs) {
  AtomicFile out(file, Durability::fast);
  std::string text = "index";
  std::vector<at::Tensor> columns;  // [N, numbers per sample] as doubles
  const std::int64_t rows = outputs.empty() ? 0 : outputs.front().second.size(0);
  for (const auto& [name, tensor] : outputs) {
    columns.push_back(tensor.to(at::kDouble).reshape({rows, rows == 0 ? 0 : -1}).contiguous());
    const std::int64_t width = columns.back().size(1);
    for (std::int64_t i = 0; i < width; ++i) {
      text += width == 1 ? "," + name : fmt::format(",{}_{}", name, i);
    }
  }
  text += "\n";
  for (std::int64_t row = 0; row < rows; ++row) {
    text += fmt::format("{}", row);
    for (const at::Tensor& column : columns) {
      const std::span numbers(column.const_data_ptr<double>() + row * column.size(1),
                              static_cast<std::size_t>(column.size(1)));
      for (const double number : numbers) text += fmt::format(",{:.9g}", number);
    }
    text += "\n";
    if (text.size() > (std::size_t{1} << 20)) out.write(std::exchange(text, {}));
  }
  out.write(text);
  out.commit();
}

void write_tensors(const fs::path& file, const std::vector<Predictions>& predictions) {
  StateDict all;
  for (std::size_t loader = 0; loader < predictions.size(); ++loader) {
    const std::string prefix = predictions.size() > 1 ? fmt::format("loader{}.", loader) : "";
    for (auto& [name, tensor] : joined(predictions[loader])) all[prefix + name] = tensor;
  }
  SafetensorsWriter writer;
  std::vector<at::Tensor> kept;  // their memory is borrowed
  for (const auto& [name, value] : all) {
    kept.push_back(value.to_tensor().contiguous());
    const at::Tensor& tensor = kept.back();
    static const std::map<at::ScalarType, std::string> kNames = {
        {at::kFloat, "F32"}, {at::kDouble, "F64"}, {at::kHalf, "F16"},  {at::kBFloat16, "BF16"},
        {at::kLong, "I64"},  {at::kInt, "I32"},    {at::kShort, "I16"}, {at::kChar, "I8"},
        {at::kByte, "U8"},   {at::kBool, "BOOL"}};
    const auto dtype = kNames.find(tensor.scalar_type());
    if (dtype == kNames.end()) {
      throw DataError(fmt::format("{} has the type {}, which safetensors can't hold", quote(name),
                                  c10::toString(tensor.scalar_type())));
    }
    const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
    writer.add({name, dtype->second, tensor.sizes().vec(), {bytes, tensor.nbytes()}});
  }
  AtomicFile out(file, Durability::fast);
  writer.write([&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();
}

}  // namespace

bool is_predictions_file(const fs::path& file) {
  return file.extension() == ".csv" || file.extension() == ".safetensors";
}

void write_predictions(const fs::path& file, const std::vector<Predictions>& predictions) {
  if (file.has_parent_path()) fs::create_directories(file.parent_path());
  if (file.extension() == ".safetensors") return write_tensors(file, predictions);
  for (std::size_t loader = 0; loader < predictions.size(); ++loader) {
    fs::path own = file;
    if (loader > 0) {
      own.replace_filename(
          fmt::format("{}-{}{}", file.stem().string(), loader, file.extension().string()));
    }
    write_csv(own, joined(predictions[loader]));
  }
}

}  // namespace grapnel::program
