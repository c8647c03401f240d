#include "grapnel/throughput.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"

namespace grapnel {

Throughput::Throughput(int64_t window_size, std::string separator,
                       std::optional<double> available_flops, int64_t world_size)
    : window_size_(static_cast<size_t>(std::max<int64_t>(window_size, 0))),
      separator_(std::move(separator)),
      available_flops_(available_flops),
      world_size_(world_size) {
  if (window_size < 2) {
    throw ConfigError::of(
        "window_size",
        "window_size={} must be at least 2: a throughput is measured between the first and the "
        "last batch of a window",
        window_size);
  }
  if (available_flops.has_value() && !(*available_flops > 0)) {
    throw ConfigError::of("available_flops", "available_flops={} must be above 0",
                          *available_flops);
  }
  if (world_size < 1) {
    throw ConfigError::of("world_size", "world_size={} must be at least 1", world_size);
  }
}

void Throughput::update(double time, int64_t batches, int64_t samples,
                        std::optional<int64_t> lengths, std::optional<double> flops) {
  const auto grows = [](const char* what, auto last, auto now) {
    if (now > last) return;
    throw ConfigError::of("", "throughput: {} must grow with every update, but {} comes after {}",
                          what, now, last);
  };
  if (!entries_.empty()) {
    const Entry& last = entries_.back();
    if (!(time >= last.time)) grows("time", last.time, time);  // equal: a coarse clock
    grows("batches", last.batches, batches);
    grows("samples", last.samples, samples);
    if (last.lengths && lengths) grows("lengths", *last.lengths, *lengths);
  }
  if (samples < batches) {
    throw ConfigError::of("", "throughput: {} samples in {} batches; a batch has at least one",
                          samples, batches);
  }
  if (lengths.has_value() && *lengths < samples) {
    throw ConfigError::of("", "throughput: {} items in {} samples; a sample has at least one",
                          *lengths, samples);
  }
  entries_.push_back({time, batches, samples, lengths, flops});
  if (entries_.size() > window_size_) entries_.pop_front();
}

Logger::Metrics Throughput::compute() const {
  if (entries_.empty()) throw ConfigError({}, "throughput: compute() before the first update()");
  const Entry& first = entries_.front();
  const Entry& last = entries_.back();
  Logger::Metrics metrics = {{"time", last.time},
                             {"batches", static_cast<double>(last.batches)},
                             {"samples", static_cast<double>(last.samples)}};
  if (last.lengths.has_value()) metrics.emplace_back("lengths", static_cast<double>(*last.lengths));
  if (entries_.size() < window_size_) return metrics;

  const double seconds = last.time - first.time;
  if (!(seconds > 0)) return metrics;
  const auto add = [&](const std::string& name, double rate) {
    metrics.emplace_back("device" + separator_ + name, rate);
    if (world_size_ > 1) metrics.emplace_back(name, rate * static_cast<double>(world_size_));
  };
  add("batches_per_sec", static_cast<double>(last.batches - first.batches) / seconds);
  add("samples_per_sec", static_cast<double>(last.samples - first.samples) / seconds);
  if (first.lengths.has_value() && last.lengths.has_value()) {
    add("items_per_sec", static_cast<double>(*last.lengths - *first.lengths) / seconds);
  }
  double flops = 0.0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].flops.has_value()) return metrics;
    if (i > 0) flops += *entries_[i].flops;
  }
  add("flops_per_sec", flops / seconds);
  if (available_flops_.has_value()) {
    metrics.emplace_back("device" + separator_ + "mfu", flops / seconds / *available_flops_);
  }
  return metrics;
}

}  // namespace grapnel
