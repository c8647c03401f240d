// Writes one checkpoint at a time in a thread of its own, while the training changes the tensors.
//
// What is written is the state at start(). A large tensor is not copied there: it becomes a lazy
// clone (LibTorch's copy-on-write), which costs the training no time, and the thread's first act is
// to copy all of them into a buffer, at the speed of memory. Only a tensor that the training changes
// before that is done is copied by the training: in place, by a fused kernel or through data_ptr()
// alike, since every way to writable memory goes through LibTorch. Memory that isn't LibTorch's own
// (from_blob) and small tensors are copied in start(), as are tensors of other devices.
//
// The clones are destroyed by the training's thread, in let_go() and finish(), never by the writing
// one: LibTorch's count of a memory's clones (COWDeleterContext::decrement_refcount, 2.15) is lowered
// before its lock is taken, so that of two threads that give up the last two clones at the same
// moment one may find both the lock and the memory freed.
//
// The buffer is kept for the next checkpoint: asynchronous saving takes the memory of one more, and of
// up to another one from the training's first change of the tensors until let_go(): the clones keep
// what the tensors were.
//
// A pointer from data_ptr() that is kept over a start() may lead to the thread's memory afterwards:
// code that keeps one needs checkpoints that are saved synchronously.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "checkpoints/checkpoint_document.h"
#include "grapnel/base/checkpoint_file.h"
#include "grapnel/base/error.h"

namespace grapnel {

// take_apart() for a file: what can't be saved is a CheckpointError that names it.
CheckpointParts checkpoint_parts(const std::filesystem::path& path, const StateDict& checkpoint,
                                 Sharing sharing);

// Could the same call succeed a moment later? Not where the path or its permissions are at fault.
bool may_pass(const IoError& error);

// Writes the file; when that fails for a reason that may pass (an I/O error, a full disk), once
// more. Throws as save_checkpoint_file().
WrittenCheckpoint write_checkpoint_parts(const std::filesystem::path& path,
                                         const CheckpointParts& parts, Durability durability);

// Makes the file's directory and writes the file, durably; once more where the directory is removed
// meanwhile. Throws as write_checkpoint_parts().
void write_with_directory(const std::filesystem::path& path, const CheckpointParts& parts);

class CheckpointWriter {
 public:
  CheckpointWriter();
  // Waits for the thread; what it ends with is lost.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // parts: of Sharing::snapshot. There must be no other file in the making.
  void start(std::filesystem::path path, CheckpointParts parts);
  // Between start() and finish().
  bool is_active() const noexcept { return is_active_; }
  // The thread has ended: finish() won't wait.
  bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }
  const std::filesystem::path& path() const noexcept { return path_; }
  // The training is about to change tensors: those that the thread has copied are its own again.
  void let_go() noexcept {
    if (is_active_ && copied_.exchange(false, std::memory_order_acquire)) clones_.clear();
  }
  // Waits for the thread. Throws what writing threw: IoError, CheckpointError.
  void finish();

 private:
  enum class Priority : std::uint8_t { own, background };
  void run(Priority priority) noexcept;
  bool take_over_memory();
  void join() noexcept;

  std::filesystem::path path_;
  CheckpointParts parts_;
  std::vector<at::Tensor> clones_;  // what parts_ shares with the training
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t capacity_ = 0;
  std::exception_ptr failure_;
  std::atomic<bool> copied_ = false;  // the thread reads the clones no more
  std::atomic<bool> done_ = false;
  bool is_active_ = false;
  std::int64_t process_;  // a forked child has no such thread
  std::thread thread_;
};

}  // namespace grapnel
