// A directory of checkpoints that a thread replaces all the time, as a training does that keeps one
// checkpoint and last.ckpt: the new file, the link to it, then the old one goes.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace grapnel::test {

class ReplacedCheckpoint {
 public:
  // The only checkpoint of the directory; it is replaced by itself under other names until the end of
  // this, after a pause each time.
  explicit ReplacedCheckpoint(std::filesystem::path checkpoint, std::chrono::microseconds pause)
      : directory_(checkpoint.parent_path()), present_(std::move(checkpoint)), pause_(pause) {
    thread_ = std::thread([this] { replace(); });
  }
  ~ReplacedCheckpoint() {
    stop_ = true;
    thread_.join();
  }
  ReplacedCheckpoint(const ReplacedCheckpoint&) = delete;
  ReplacedCheckpoint& operator=(const ReplacedCheckpoint&) = delete;

  int times() const { return times_; }

 private:
  void replace() {
    namespace fs = std::filesystem;
    while (!stop_) {
      const fs::path next = directory_ / ("epoch=" + std::to_string(times_ + 1) + ".ckpt");
      fs::create_hard_link(present_, next);
      fs::create_symlink(next.filename(), directory_ / ".link");
      fs::rename(directory_ / ".link", directory_ / "last.ckpt");
      fs::remove(present_);
      present_ = next;
      ++times_;
      std::this_thread::sleep_for(pause_);
    }
  }

  std::filesystem::path directory_;
  std::filesystem::path present_;
  std::chrono::microseconds pause_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> times_ = 0;
  std::thread thread_;
};

}  // namespace grapnel::test
