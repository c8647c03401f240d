#include "checkpoints/checkpoint_writer.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/process.h"
#include "grapnel/tensor_bytes.h"

namespace grapnel {

namespace {

// Where each tensor starts in the buffer.
constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

WrittenCheckpoint write_once(const std::filesystem::path& path, const CheckpointParts& parts,
                             Durability durability) {
  std::vector<TensorView> views;
  for (const NamedTensor& named : parts.tensors) {
    views.push_back(tensor_view(named.name, named.tensor));
  }
  return write_checkpoint_file(path, views, parts.document, durability);
}

}  // namespace

bool may_pass(const IoError& error) {
  switch (error.error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
    case ENOTDIR:
    case ENOTEMPTY:
    case EEXIST:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
    case ENOSYS:
    case ENOTSUP:
      return false;
    default:
      return true;
  }
}

CheckpointParts checkpoint_parts(const std::filesystem::path& path, const StateDict& checkpoint,
                                 Sharing sharing) {
  try {
    return take_apart(checkpoint, sharing);
  } catch (const Error& error) {
    throw CheckpointError(path, fmt::format("it can't be written: {}", error.what()));
  }
}

WrittenCheckpoint write_checkpoint_parts(const std::filesystem::path& path,
                                         const CheckpointParts& parts, Durability durability) {
  try {
    try {
      return write_once(path, parts, durability);
    } catch (const IoError& error) {
      if (!may_pass(error)) throw;
      log_info("{}; trying once more", error.what());
    }
    return write_once(path, parts, durability);
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    throw CheckpointError(path, fmt::format("it can't be written: {}", error.what()));
  } catch (const std::logic_error& error) {  // the container's limits
    throw CheckpointError(path, fmt::format("it can't be written: {}", error.what()));
  }
}

void write_with_directory(const std::filesystem::path& path, const CheckpointParts& parts) {
  const auto write = [&] {
    create_parent_directories(path);
    write_checkpoint_parts(path, parts, Durability::durable);
  };
  try {
    return write();
  } catch (const IoError& error) {
    if (error.error_number != ENOENT) throw;
    log_info("{}; its directory is made again", error.what());
  }
  write();
}

CheckpointWriter::CheckpointWriter() : process_(process_id()) {}

CheckpointWriter::~CheckpointWriter() {
  join();
}

void CheckpointWriter::start(std::filesystem::path path, CheckpointParts parts) {
  if (is_active_) throw std::logic_error("a checkpoint was started while another is written");
  path_ = std::move(path);
  parts_ = std::move(parts);
  for (const NamedTensor& named : parts_.tensors) {
    if (named.is_shared) clones_.push_back(named.tensor);
  }
  failure_ = nullptr;
  copied_ = done_ = false;
  is_active_ = true;
  process_ = process_id();
  try {
    thread_ = std::thread([this] { run(Priority::background); });
  } catch (const std::system_error&) {  // no more threads: here, then
    run(Priority::own);
  }
}

void CheckpointWriter::run(Priority priority) noexcept {
  try {
    copied_.store(take_over_memory(), std::memory_order_release);
    // The training's own threads wait for each other in every batch: this one must not hold one up.
    if (priority == Priority::background) lower_thread_priority();
    write_with_directory(path_, parts_);
  } catch (...) {
    failure_ = std::current_exception();
  }
  parts_ = {};  // clones_ has the last references to what is shared
  done_.store(true, std::memory_order_release);
}

// Copies the tensors into the buffer. False: there is no memory for it, and the clones stay until the
// file is written, which is as right.
bool CheckpointWriter::take_over_memory() {
  size_t bytes = 0;
  for (const NamedTensor& named : parts_.tensors) {
    if (named.is_shared) bytes += aligned(named.tensor.nbytes());
  }
  if (bytes > capacity_) {
    try {
      buffer_.reset();
      capacity_ = 0;
      buffer_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
      capacity_ = bytes;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  const c10::InferenceMode normal_tensors(false);
  size_t used = 0;
  for (NamedTensor& named : parts_.tensors) {
    if (!named.is_shared) continue;
    const size_t size = named.tensor.nbytes();
    std::byte* const place = buffer_.get() + used;
    std::memcpy(place, named.tensor.const_data_ptr(), size);
    named.tensor = at::from_blob(place, named.tensor.sizes(), named.tensor.options());
    used += aligned(size);
  }
  return true;
}

void CheckpointWriter::join() noexcept {
  if (!thread_.joinable()) return;
  if (process_ == process_id()) {
    thread_.join();
  } else {
    thread_.detach();  // of the parent
  }
}

void CheckpointWriter::finish() {
  if (!is_active_) return;
  join();
  clones_.clear();
  is_active_ = false;
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace grapnel
