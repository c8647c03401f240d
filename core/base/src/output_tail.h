// Keeps the start and the end of a stream of unknown length within a limit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace grapnel {

class OutputTail {
 public:
  explicit OutputTail(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void append(std::string_view text) {
    const std::size_t head_room = max_bytes_ / 2 - std::min(max_bytes_ / 2, head_.size());
    head_ += text.substr(0, head_room);
    text.remove_prefix(std::min(head_room, text.size()));
    tail_ += text;
    const std::size_t tail_limit = max_bytes_ - max_bytes_ / 2;
    // Trimmed only when it has doubled, so that many small pieces don't cost a move each.
    if (tail_.size() > 2 * tail_limit) trim(tail_limit);
  }

  bool was_cut() const { return dropped_ > 0 || tail_.size() > max_bytes_ - max_bytes_ / 2; }

  std::string take() {
    const std::size_t tail_limit = max_bytes_ - max_bytes_ / 2;
    if (tail_.size() > tail_limit) trim(tail_limit);
    if (dropped_ == 0) return head_ + tail_;
    return head_ + "\n[" + std::to_string(dropped_) + " bytes dropped]\n" + tail_;
  }

 private:
  void trim(std::size_t limit) {
    dropped_ += tail_.size() - limit;
    tail_.erase(0, tail_.size() - limit);
  }

  std::size_t max_bytes_;
  std::size_t dropped_ = 0;
  std::string head_;
  std::string tail_;
};

}  // namespace grapnel
