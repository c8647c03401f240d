#include <grapnel/host/checkpoint_export.h>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/document_notation.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/safetensors.h>
#include <grapnel/base/text.h>

#include "element.h"

namespace grapnel::host {
namespace {

constexpr std::string_view trained_key = "state_dict";
constexpr std::string_view leased_key = "leased_state_dict";
// As torch.nn.utils.prune names a pruned parameter's parts.
constexpr std::string_view dense_suffix = "_orig";
constexpr std::string_view mask_suffix = "_mask";

// Names in the model and tensors in the file, in the file's order.
struct Weights {
  std::vector<std::string> names;
  std::map<std::string, const TensorEntry*, std::less<>> tensors;

  const TensorEntry* find(std::string_view name) const {
    const auto found = tensors.find(name);
    return found == tensors.end() ? nullptr : found->second;
  }
};

const TensorEntry* tensor_of(const CheckpointFile& file, const ConfigValue& value) {
  const ConfigValue* name = value.find(document::tensor_key);
  return name == nullptr || !name->is_string() ? nullptr : &file.at(name->as_string());
}

Weights read_weights(const CheckpointFile& file, const ConfigValue& dict) {
  Weights weights;
  for (const auto& [name, value] : document::read_dict(dict)) {
    const TensorEntry* tensor = tensor_of(file, *value);
    if (tensor == nullptr) continue;
    if (value->contains("dtype")) {
      throw CheckpointError(file.path(), fmt::format("{} is complex, which plain safetensors files "
                                                     "do not support",
                                                     quote(name)));
    }
    weights.names.push_back(name);
    weights.tensors.emplace(name, tensor);
  }
  return weights;
}

bool same_type(const TensorEntry& a, const TensorEntry& b) {
  return a.dtype == b.dtype && a.shape == b.shape;
}

// The model's name for a tensor of a state that is called "weight" or "parameter.weight"; empty: the
// model has none of this type.
std::string name_in_model(std::string name, const TensorEntry& tensor, const Weights& trained) {
  for (;;) {
    const TensorEntry* own = trained.find(name);
    if (own == nullptr) own = trained.find(name + std::string(dense_suffix));
    if (own != nullptr && same_type(tensor, *own)) return name;
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) return {};
    name.erase(0, dot + 1);
  }
}

// The dict in a state that has the most of the model's weights, by name and type.
void find_average(const CheckpointFile& file, const ConfigValue& value, const Weights& trained,
                  Weights& best) {
  if (value.is_array()) {
    for (const ConfigValue& item : value.as_array()) find_average(file, item, trained, best);
    return;
  }
  if (!value.is_object() || value.contains(document::tensor_key) || document::is_bytes(value) ||
      value.contains(document::number_key)) {
    return;
  }
  Weights found;
  for (const auto& [name, item] : document::read_dict(value)) {
    const TensorEntry* tensor = tensor_of(file, *item);
    if (tensor == nullptr) {
      find_average(file, *item, trained, best);
      continue;
    }
    const std::string own = name_in_model(name, *tensor, trained);
    if (own.empty() || !found.tensors.emplace(own, tensor).second) continue;
    found.names.push_back(own);
  }
  if (found.names.size() > best.names.size()) best = std::move(found);
}

Weights average_of(const CheckpointFile& file, const ConfigValue& checkpoint,
                   const std::string& callback, const Weights& trained) {
  std::vector<std::string> keys;
  Weights best;
  const ConfigValue* states = checkpoint.find("callbacks");
  if (states == nullptr) {
    throw CheckpointError(file.path(), "it has no states of callbacks");
  }
  for (const auto& [key, state] : document::read_dict(*states)) {
    keys.push_back(key);
    if (key.starts_with(callback)) find_average(file, *state, trained, best);
  }
  const bool is_known =
      std::ranges::any_of(keys, [&](const std::string& key) { return key.starts_with(callback); });
  if (!is_known) {
    throw ConfigError::of("callback", "no callback's state key in {} starts with {}; it has {}",
                          quote(file.path().string()), quote(callback), join_quoted(keys, "and"));
  }
  if (best.names.empty()) {
    throw CheckpointError(file.path(), fmt::format("the state of the callback {} has no weights "
                                                   "under the model's names",
                                                   quote(callback)));
  }
  return best;
}

// dense * mask, as torch.nn.utils.prune.remove() leaves it: a pruned element keeps its sign.
std::vector<std::byte> folded(const CheckpointFile& file, const std::string& name,
                              const TensorEntry& dense, const TensorEntry& mask) {
  const auto data = file.bytes(dense);
  const auto kept = file.bytes(mask);
  const std::size_t size = dtype_size(dense.dtype).value_or(1);
  const ReadElement read = element_reader(mask.dtype);
  std::vector<std::byte> result(data.begin(), data.end());
  for (std::size_t i = 0; i < data.size() / size; ++i) {
    const double keep = read(kept, i);
    if (keep == 1) continue;
    if (keep != 0) {
      throw CheckpointError(file.path(), fmt::format("the mask of {} has elements that are neither "
                                                     "0 nor 1",
                                                     quote(name)));
    }
    const std::byte sign = result[(i + 1) * size - 1] & std::byte{0x80};
    std::fill_n(result.begin() + static_cast<std::ptrdiff_t>(i * size), size, std::byte{});
    result[(i + 1) * size - 1] = sign;
  }
  return result;
}

class Export {
 public:
  Export(const CheckpointFile& file, Weights trained, Weights replacing)
      : file_(file), trained_(std::move(trained)), replacing_(std::move(replacing)) {}

  ExportedWeights run(const std::filesystem::path& to) {
    for (const std::string& name : trained_.names) add(name);
    // What PyTorch's own files say of themselves; some readers insist.
    writer_.set_metadata("format", "pt");
    AtomicFile out(to);
    writer_.write([&](std::span<const std::byte> piece) { out.write(piece); });
    out.commit();
    exported_.bytes = writer_.file_size();
    return exported_;
  }

 private:
  void add(const std::string& name) {
    const TensorEntry& own = *trained_.find(name);
    const auto part_of = [&](std::string_view suffix, std::string_view other) {
      if (!name.ends_with(suffix)) return false;
      const std::string base = name.substr(0, name.size() - suffix.size());
      const TensorEntry* partner = trained_.find(base + std::string(other));
      return partner != nullptr && partner->shape == own.shape && trained_.find(base) == nullptr;
    };
    if (part_of(mask_suffix, dense_suffix)) return;
    if (!part_of(dense_suffix, mask_suffix)) {
      const TensorEntry* other = replacement(name, own);
      return write(name, own, file_.bytes(other == nullptr ? own : *other));
    }
    const std::string base = name.substr(0, name.size() - dense_suffix.size());
    const TensorEntry* other = replacement(base, own);
    if (other == nullptr) other = replacement(name, own);
    folded_.push_back(folded(file_, base, other == nullptr ? own : *other,
                             *trained_.find(base + std::string(mask_suffix))));
    ++exported_.folded;
    write(base, own, folded_.back());
  }

  const TensorEntry* replacement(const std::string& name, const TensorEntry& own) {
    const TensorEntry* other = replacing_.find(name);
    if (other == nullptr || !same_type(*other, own)) return nullptr;
    ++exported_.replaced;
    return other;
  }

  void write(const std::string& name, const TensorEntry& type, std::span<const std::byte> bytes) {
    writer_.add({name, type.dtype, type.shape, bytes});
    ++exported_.tensors;
  }

  const CheckpointFile& file_;
  Weights trained_;
  Weights replacing_;
  SafetensorsWriter writer_;
  std::deque<std::vector<std::byte>> folded_;  // what the writer borrows
  ExportedWeights exported_;
};

}  // namespace

ExportedWeights export_weights(const std::filesystem::path& checkpoint,
                               const std::filesystem::path& to, const ExportOptions& options) {
  const CheckpointFile file = CheckpointFile::open(checkpoint, CheckpointCheck::on_use);
  const auto refuse = [&](const std::string& what) { throw CheckpointError(checkpoint, what); };
  try {
    const ConfigValue* root = file.document().find("checkpoint");
    const ConfigValue* dict = root == nullptr ? nullptr : root->find(trained_key);
    if (dict == nullptr) refuse("it has no weights of a model ('state_dict')");
    Weights trained = read_weights(file, *dict);
    Weights replacing;
    if (options.leased) {
      const ConfigValue* leased = root->find(leased_key);
      if (leased == nullptr) {
        refuse(
            "nothing was in the weights' place when it was written; a callback that averages has "
            "its average in its state");
      }
      replacing = read_weights(file, *leased);
    } else if (!options.callback.empty()) {
      replacing = average_of(file, *root, options.callback, trained);
    }
    return Export(file, std::move(trained), std::move(replacing)).run(to);
  } catch (const CheckpointError&) {
    throw;
  } catch (const ConfigError& error) {
    if (error.key == "callback") throw;
    throw CheckpointError(checkpoint,
                          fmt::format("its document is not a checkpoint's: {}", error.what()));
  } catch (const std::invalid_argument& error) {  // a name that the format does not accept
    throw CheckpointError(checkpoint, fmt::format("it can't be exported: {}", error.what()));
  }
}

}  // namespace grapnel::host
