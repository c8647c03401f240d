// Lines that a thread of its own posts, in order, until they are delivered.
//
// What the server doesn't take for now (it can't be reached, HTTP 5xx, 408, 425, 429) is repeated after
// half a second, then after twice as long each time, 10 seconds at most. What it refuses is dropped.
// A request carries "Grapnel-Batch: <sender>/<number>"; one that is repeated has the same and the same
// lines: a server that has it may drop it. add() never waits for the network.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "http_post.h"

namespace http {

class Delivery {
 public:
  struct Limits {
    std::size_t batch = 500;     // lines of one request
    std::size_t queue = 100000;  // lines that wait
  };
  struct Report {
    std::uint64_t delivered = 0;
    std::uint64_t dropped = 0;  // the queue was full, or the server refused them
    std::uint64_t waiting = 0;  // not delivered yet
    std::string error;          // the last one
  };

  /// sender: of this object alone, also among those of other processes. warn: called from the thread,
  /// once per kind of trouble.
  Delivery(std::string sender, Client& client, Limits limits,
           std::function<void(const std::string&)> warn)
      : sender_(std::move(sender)), client_(client), limits_(limits), warn_(std::move(warn)) {
    thread_ = std::thread([this] { work(); });
  }
  /// Drops what is not delivered.
  ~Delivery() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    client_.cancel();
    changed_.notify_all();
    thread_.join();
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= limits_.queue) {
      ++report_.dropped;
      if (report_.error.empty()) report_.error = "the queue is full";
      return;
    }
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  /// Waits until everything is delivered or dropped, that many seconds at most.
  Report flush(double seconds) {
    std::unique_lock lock(mutex_);
    hurried_ = true;  // no long pauses between attempts
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                      [this] { return lines_.empty(); });
    hurried_ = false;
    Report report = report_;
    report.waiting = lines_.size();
    return report;
  }

 private:
  void work() {
#if defined(SIGPIPE)  // a connection that breaks must not end the training
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
#endif

    std::unique_lock lock(mutex_);
    double pause = kFirstPause;
    std::uint64_t number = 0;
    std::size_t count = 0;  // lines of the request that is being delivered
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !lines_.empty(); });
      if (ending_) return;
      if (count == 0) count = std::min(lines_.size(), limits_.batch);
      std::string body;
      for (std::size_t i = 0; i < count; ++i) body += lines_[i] + '\n';
      const std::string header = "Grapnel-Batch: " + sender_ + "/" + std::to_string(number);
      lock.unlock();
      const Answer answer = client_.post(body, header);
      lock.lock();
      if (ending_) return;
      if (!answer.delivered()) note(answer, lock);
      if (answer.delivered() || answer.refused()) {
        (answer.delivered() ? report_.delivered : report_.dropped) += count;
        lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(count));
        count = 0;
        ++number;
        pause = kFirstPause;
        changed_.notify_all();
        continue;
      }
      const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(pause);
      const auto soon = std::chrono::duration<double>(kFirstPause);
      while (!ending_ && std::chrono::steady_clock::now() < until) {
        if (hurried_ && pause > kFirstPause) break;
        changed_.wait_for(lock, soon);
      }
      pause = hurried_ ? kFirstPause : std::min(2 * pause, kLongestPause);
    }
  }

  void note(const Answer& answer, std::unique_lock<std::mutex>& lock) {
    report_.error = answer.in_words();
    if (!warned_.insert(answer.status)) return;
    const std::string text =
        report_.error + (answer.refused() ? "; these lines are dropped" : "; it is tried again");
    lock.unlock();
    warn_(text);
    lock.lock();
  }

  static constexpr double kFirstPause = 0.5;  // seconds
  static constexpr double kLongestPause = 10;

  // The statuses that were told of.
  struct Warned {
    bool insert(long status) {
      if (std::find(statuses.begin(), statuses.end(), status) != statuses.end()) return false;
      statuses.push_back(status);
      return true;
    }
    std::deque<long> statuses;
  };

  const std::string sender_;
  Client& client_;
  const Limits limits_;
  const std::function<void(const std::string&)> warn_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // the first ones are being posted
  Report report_;
  Warned warned_;
  bool ending_ = false;
  bool hurried_ = false;
  std::thread thread_;
};

}  // namespace http
