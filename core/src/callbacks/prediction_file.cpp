#include "grapnel/prediction_file.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/safetensors.h"
#include "grapnel/base/text.h"
#include "grapnel/tensor_bytes.h"

namespace grapnel {

namespace {

namespace fs = std::filesystem;

// Outputs of one loader: name and tensor [N, ...], in the order of the tree.
using Outputs = std::vector<std::pair<std::string, at::Tensor>>;

void collect_outputs(const TensorTree& tree, const std::string& name,
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
    collect_outputs(child, name.empty() ? part : name + "." + part, into);
    ++index;
  }
}

Outputs joined(const Predictions& batches) {
  std::vector<std::pair<std::string, std::vector<at::Tensor>>> parts;
  for (const TensorTree& batch : batches) collect_outputs(batch, "", parts);
  Outputs outputs;
  for (auto& [name, tensors] : parts) {
    for (at::Tensor& tensor : tensors) {
      if (tensor.dim() == 0) tensor = tensor.reshape({1});  // one number per batch
    }
    try {
      outputs.emplace_back(name, at::cat(tensors).cpu().contiguous());
    } catch (const c10::Error&) {
      throw DataError(
          fmt::format("the batches of the prediction {} don't fit together: their "
                      "shapes differ beyond the first dimension, the first is [{}]",
                      quote(name), fmt::join(tensors.front().sizes(), ", ")));
    }
  }
  for (const auto& [name, tensor] : outputs) {
    if (tensor.size(0) == outputs.front().second.size(0)) continue;
    throw DataError(fmt::format("the predictions have {} rows of {}, but {} of {}",
                                outputs.front().second.size(0), quote(outputs.front().first),
                                tensor.size(0), quote(name)));
  }
  return outputs;
}

// The indices of a loader's samples; empty unless there is one for every row.
std::vector<int64_t> row_indices(const SampleIndices& indices, std::size_t loader,
                                 const Outputs& outputs) {
  std::vector<int64_t> rows;
  if (loader >= indices.size()) return rows;
  for (const auto& batch : indices[loader]) rows.insert(rows.end(), batch.begin(), batch.end());
  const int64_t wanted = outputs.empty() ? 0 : outputs.front().second.size(0);
  if (static_cast<int64_t>(rows.size()) != wanted) rows.clear();
  return rows;
}

void write_csv(const fs::path& file, const Outputs& outputs, const std::vector<int64_t>& indices) {
  AtomicFile out(file, Durability::fast);
  std::string text = "index";
  std::vector<at::Tensor> columns;  // [N, numbers per sample] as doubles
  const int64_t rows = outputs.empty() ? 0 : outputs.front().second.size(0);
  for (const auto& [name, tensor] : outputs) {
    columns.push_back(tensor.to(at::kDouble).reshape({rows, rows == 0 ? 0 : -1}).contiguous());
    const int64_t width = columns.back().size(1);
    for (int64_t i = 0; i < width; ++i) {
      text += width == 1 ? "," + name : fmt::format(",{}_{}", name, i);
    }
  }
  text += "\n";
  for (int64_t row = 0; row < rows; ++row) {
    text += fmt::format("{}", indices.empty() ? row : indices[static_cast<std::size_t>(row)]);
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

void write_tensors(const fs::path& file, const std::vector<Predictions>& predictions,
                   const SampleIndices& indices) {
  Outputs all;  // the writer borrows their memory
  for (std::size_t loader = 0; loader < predictions.size(); ++loader) {
    const std::string prefix = predictions.size() > 1 ? fmt::format("loader{}.", loader) : "";
    const Outputs outputs = joined(predictions[loader]);
    for (const auto& [name, tensor] : outputs) all.emplace_back(prefix + name, tensor);
    const std::vector<int64_t> rows = row_indices(indices, loader, outputs);
    const bool taken = std::any_of(outputs.begin(), outputs.end(),
                                   [](const auto& output) { return output.first == "index"; });
    if (!rows.empty() && !taken) all.emplace_back(prefix + "index", at::tensor(rows));
  }
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : all) writer.add(tensor_view(name, tensor));
  AtomicFile out(file, Durability::fast);
  writer.write([&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();
}

}  // namespace

bool is_predictions_file(const fs::path& file) {
  return file.extension() == ".csv" || file.extension() == ".safetensors";
}

void write_predictions(const fs::path& file, const std::vector<Predictions>& predictions,
                       const SampleIndices& indices) {
  create_parent_directories(file);
  if (file.extension() == ".safetensors") return write_tensors(file, predictions, indices);
  for (std::size_t loader = 0; loader < predictions.size(); ++loader) {
    fs::path own = file;
    if (loader > 0) {
      own.replace_filename(
          fmt::format("{}-{}{}", file.stem().string(), loader, file.extension().string()));
    }
    const Outputs outputs = joined(predictions[loader]);
    write_csv(own, outputs, row_indices(indices, loader, outputs));
  }
}

}  // namespace grapnel
