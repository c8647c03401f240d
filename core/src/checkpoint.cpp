#include "grapnel/checkpoint.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "checkpoint_document.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

struct Dtype {
  c10::ScalarType type;
  const char* name;  // in safetensors files
};

constexpr std::array kDtypes = {
    Dtype{c10::ScalarType::Double, "F64"},
    Dtype{c10::ScalarType::Float, "F32"},
    Dtype{c10::ScalarType::Half, "F16"},
    Dtype{c10::ScalarType::BFloat16, "BF16"},
    Dtype{c10::ScalarType::Float8_e4m3fn, "F8_E4M3"},
    Dtype{c10::ScalarType::Float8_e5m2, "F8_E5M2"},
    Dtype{c10::ScalarType::Long, "I64"},
    Dtype{c10::ScalarType::Int, "I32"},
    Dtype{c10::ScalarType::Short, "I16"},
    Dtype{c10::ScalarType::Char, "I8"},
    Dtype{c10::ScalarType::UInt64, "U64"},
    Dtype{c10::ScalarType::UInt32, "U32"},
    Dtype{c10::ScalarType::UInt16, "U16"},
    Dtype{c10::ScalarType::Byte, "U8"},
    Dtype{c10::ScalarType::Bool, "BOOL"},
};

TensorView view_of(const NamedTensor& named) {
  const at::Tensor& tensor = named.tensor;
  for (const Dtype& dtype : kDtypes) {
    if (dtype.type != tensor.scalar_type()) continue;
    const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
    return {named.name, dtype.name, tensor.sizes().vec(), {data, tensor.nbytes()}};
  }
  throw Error(fmt::format("the tensor {} has the type {}, which has no place in a checkpoint",
                          quote(named.name), c10::toString(tensor.scalar_type())));
}

at::Tensor read_tensor(const CheckpointFile& file, const TensorEntry& entry) {
  for (const Dtype& dtype : kDtypes) {
    if (entry.dtype != dtype.name) continue;
    at::Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(dtype.type));
    const std::span<const std::byte> bytes = file.bytes(entry);
    if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    return tensor;
  }
  throw Error(fmt::format("the tensor {} has the type {}, which this LibTorch doesn't know",
                          quote(entry.name), entry.dtype));
}

}  // namespace

WrittenCheckpoint save_checkpoint_file(const std::filesystem::path& path,
                                       const StateDict& checkpoint, Durability durability) {
  CheckpointParts parts;
  std::vector<TensorView> views;
  try {
    parts = take_apart(checkpoint);
    for (const NamedTensor& named : parts.tensors) views.push_back(view_of(named));
    return write_checkpoint_file(path, views, parts.document, durability);
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    throw CheckpointError(path, fmt::format("it can't be written: {}", error.what()));
  } catch (const std::logic_error& error) {  // the container's limits
    throw CheckpointError(path, fmt::format("it can't be written: {}", error.what()));
  }
}

StateDict load_checkpoint_file(const std::filesystem::path& path) {
  const CheckpointFile file = CheckpointFile::open(path);
  // Loaded within an evaluation, the tensors would otherwise be inference tensors.
  const c10::InferenceMode normal_tensors(false);
  const auto tensor = [&file](const std::string& name) { return read_tensor(file, file.at(name)); };
  try {
    return put_together(file.document(), tensor);
  } catch (const CheckpointError&) {
    throw;
  } catch (const Error& error) {
    throw CheckpointError(path,
                          fmt::format("its document is not a checkpoint's: {}", error.what()));
  }
}

void check_loadable(const at::Tensor& live, const at::Tensor& saved, std::string_view name) {
  const auto describe = [](const at::Tensor& tensor) {
    if (!tensor.defined()) return std::string("nothing");
    return fmt::format("{} of shape [{}]", c10::toString(tensor.scalar_type()),
                       fmt::join(tensor.sizes(), ", "));
  };
  if (live.defined() && saved.defined() && live.sizes() == saved.sizes() &&
      live.scalar_type() == saved.scalar_type()) {
    return;
  }
  throw CheckpointError({}, fmt::format("{} is {} in the checkpoint, but {} here", quote(name),
                                        describe(saved), describe(live)));
}

void load_into(at::Tensor live, const at::Tensor& saved, std::string_view name) {
  check_loadable(live, saved, name);
  const c10::AutoGradMode without_grad(false);
  live.copy_(saved);
}

}  // namespace grapnel
