#include "grapnel/checkpoint.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <unordered_set>

#include "checkpoints/checkpoint_writer.h"
#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/tensor_bytes.h"

namespace grapnel {

WrittenCheckpoint save_checkpoint_file(const std::filesystem::path& path,
                                       const StateDict& checkpoint, Durability durability) {
  return write_checkpoint_parts(path, checkpoint_parts(path, checkpoint, Sharing::aliases),
                                durability);
}

StateDict load_checkpoint_file(const std::filesystem::path& path) {
  const CheckpointFile file =
      CheckpointFile::open(path, CheckpointCheck::on_use, FileAccess::stream);
  if (file.covers_header_last()) file.verify();
  // Loaded within an evaluation, the tensors would otherwise be inference tensors.
  const c10::InferenceMode normal_tensors(false);
  std::unordered_set<std::string> read;
  const auto tensor = [&](const std::string& name) {
    const TensorEntry& entry = file.at(name);
    if (!read.insert(name).second) {
      throw CheckpointError(path, fmt::format("its document has the tensor {} twice", quote(name)));
    }
    at::Tensor loaded = empty_tensor(entry);
    file.read(entry, writable_bytes(loaded));
    return loaded;
  };
  try {
    StateDict checkpoint = put_together(file.document(), tensor);
    for (const TensorEntry& entry : file.tensors()) {
      if (read.contains(entry.name)) continue;
      throw CheckpointError(
          path, fmt::format("its document doesn't mention the tensor {}, so something that belongs "
                            "to it is missing; resume from another checkpoint",
                            quote(entry.name)));
    }
    return checkpoint;
  } catch (const CheckpointError&) {
    throw;
  } catch (const IoError&) {  // a disk at fault says nothing of the file
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
