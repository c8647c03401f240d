// memory_observer: watches the resident memory of the process.
//
//   memory/resident_mib   now, in MiB (2^20 bytes), with the loggers, after the batch
//   memory/peak_mib       the kernel's peak of the process; after a resume, the highest of all
//                         processes of the training
//
// It warns, with the amount, when each of the last epochs ended with more resident memory than the
// one before: something accumulates from epoch to epoch. A new process starts a new count. When the
// run fails because memory ran out, on the host or a device, it logs the last readings and the shape
// of the current batch; reading the shape costs a few calls per batch.
//
// On Linux the numbers come from /proc/self/statm and getrusage. Elsewhere, and without /proc, it
// says so once and logs nothing except the batch's shape after a failure. Device memory is not
// measured.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include <grapnel/plugin.hpp>

#include "growth.h"

namespace {

using namespace grapnel::plugin;
using memory_observer::Growth;

constexpr std::int64_t mebibyte = 1 << 20;

/// Bytes that are resident now; empty if the system does not report them.
std::optional<std::int64_t> resident_bytes() {
#if defined(__linux__)
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return {};
  long long pages = 0;  // the second number; the first is the size of the address space
  const int read = std::fscanf(file, "%*s %lld", &pages);
  std::fclose(file);
  if (read == 1) return static_cast<std::int64_t>(pages) * sysconf(_SC_PAGESIZE);
#endif
  return {};
}

/// The most that this process has had; 0 if the system does not report it.
std::int64_t peak_bytes() {
#if defined(__linux__)
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  }
#endif
  return 0;
}

double mib(std::int64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(mebibyte);
}

// "123.4 MiB"
std::string in_mib(std::int64_t bytes) {
  const std::int64_t tenths = (bytes * 10 + mebibyte / 2) / mebibyte;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::u8:
      return "u8";
    case Dtype::i8:
      return "i8";
    case Dtype::i16:
      return "i16";
    case Dtype::i32:
      return "i32";
    case Dtype::i64:
      return "i64";
    case Dtype::f16:
      return "f16";
    case Dtype::f32:
      return "f32";
    case Dtype::f64:
      return "f64";
    case Dtype::boolean:
      return "bool";
    case Dtype::bf16:
      return "bf16";
  }
  return "another type";
}

// What LibTorch, the C++ library and operating systems say.
bool is_out_of_memory(const ExceptionEvent& event) {
  std::string text = std::string(event.type()) + "\n" + std::string(event.message());
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 6> signs = {
      "out of memory",          "outofmemory",      "bad_alloc", "can't allocate memory",
      "cannot allocate memory", "not enough memory"};
  return std::any_of(signs.begin(), signs.end(),
                     [&](std::string_view sign) { return text.find(sign) != std::string::npos; });
}

class MemoryObserver final : public Callback {
 public:
  explicit MemoryObserver(const Params& params)
      : every_n_steps_(params.get("every_n_steps", 0)),
        warn_after_epochs_(params.get("warn_after_epochs", 5)),
        growth_(warn_after_epochs_, static_cast<std::int64_t>(params.get("min_growth_mib", 16.0) *
                                                              static_cast<double>(mebibyte))) {}

  void on_fit_start(Event& event) override {
    if (!resident_bytes()) {
      event.logger().warning_once("unknown",
                                  "the resident memory of the process can't be read here");
    }
  }

  void on_train_batch_start(TrainBatchStart& event) override { remember(event.batch()); }
  void on_validation_batch_start(EvalBatchStart& event) override { remember(event.batch()); }
  void on_test_batch_start(EvalBatchStart& event) override { remember(event.batch()); }
  void on_predict_batch_start(EvalBatchStart& event) override { remember(event.batch()); }

  void on_train_batch_end(TrainBatchEnd& event) override {
    const bool is_due =
        every_n_steps_ == 0 ? event.is_logging_step() : event.batch_idx() % every_n_steps_ == 0;
    if (!is_due) return;
    const auto resident = read(event);
    if (!resident) return;
    LogOptions options;
    options.on_step = true;
    event.log("memory/resident_mib", mib(*resident), options);
    event.log("memory/peak_mib", mib(peak_), options);
  }

  void on_train_epoch_end(Event& event) override {
    const auto resident = read(event);
    if (!resident) return;
    const auto streak = growth_.add(*resident);
    if (!streak) return;
    event.log_warning("resident memory grew in each of the last " +
                      std::to_string(streak->readings) + " epochs, by " + in_mib(streak->bytes) +
                      " in all (" + in_mib(streak->bytes / streak->readings) + " per epoch), to " +
                      in_mib(*resident) +
                      "; is something kept from epoch to epoch, a list of losses or outputs with "
                      "their graphs?");
  }

  void on_exception(ExceptionEvent& event) override {
    if (!is_out_of_memory(event)) return;
    std::string text = "out of memory in epoch " + std::to_string(event.current_epoch()) +
                       ", step " + std::to_string(event.global_step());
    if (const auto resident = read(event)) {
      text += "; resident " + in_mib(*resident) + ", at most " + in_mib(peak_);
      readings_.pop_back();
    }
    for (std::size_t i = 0; i < readings_.size(); ++i) {
      text += (i == 0 ? "; before that " : ", ") + in_mib(readings_[i].bytes) + " after step " +
              std::to_string(readings_[i].step);
    }
    event.log_error(text + "; the batch: " + describe_batch());
  }

  void save_state(StateWriter& state) const override { state.put("peak_bytes", peak_); }
  void load_state(const StateReader& state) override {
    peak_ = std::max(peak_, state.get<std::int64_t>("peak_bytes"));
  }

 private:
  struct Reading {
    std::int64_t step;
    std::int64_t bytes;
  };
  struct BatchTensor {
    std::string name;
    TensorShape shape;
  };
  static constexpr std::size_t kept_readings = 4;

  std::optional<std::int64_t> read(const Services& event) {
    const auto resident = resident_bytes();
    if (!resident) return {};
    peak_ = std::max({peak_, peak_bytes(), *resident});
    readings_.push_back({event.global_step(), *resident});
    if (readings_.size() > kept_readings) readings_.pop_front();
    return resident;
  }

  void remember(const Batch& batch) {
    batch_.resize(batch.size());
    for (std::size_t i = 0; i < batch_.size(); ++i) batch_[i] = {batch.name(i), batch.shape(i)};
  }

  // "x f32 [64, 784], y i64 [64]"
  std::string describe_batch() const {
    if (batch_.empty()) return "none yet";
    std::string text;
    for (const BatchTensor& tensor : batch_) {
      if (!text.empty()) text += ", ";
      if (!tensor.name.empty()) text += tensor.name + " ";
      text += name_of(tensor.shape.dtype);
      text += " [";
      for (std::size_t i = 0; i < tensor.shape.sizes.size(); ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape.sizes[i]);
      }
      text += "]";
    }
    return text;
  }

  std::int64_t every_n_steps_;  // batches; 0: with the loggers
  std::int64_t warn_after_epochs_;
  Growth growth_;                   // of what is resident at the ends of epochs
  std::int64_t peak_ = 0;           // bytes
  std::deque<Reading> readings_;    // the last few
  std::vector<BatchTensor> batch_;  // the last one that a step was begun on
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<MemoryObserver>("memory_observer"))
