#include "run/data_unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "grapnel/base/error.h"
#include "grapnel/data/combined_loader.h"
#include "run/loader_set.h"

namespace grapnel {

namespace {

constexpr int64_t kMostSamples = std::numeric_limits<int64_t>::max();

// Both at least 0.
int64_t saturated_product(int64_t a, int64_t b) {
  return a != 0 && b > kMostSamples / a ? kMostSamples : a * b;
}

std::optional<int64_t> find_count(const StateDict& state, const char* key, int64_t least) {
  const StateValue* value = state.find(key);
  if (value == nullptr) return {};
  if (value->to_int() >= least) return value->to_int();
  throw CheckpointError({}, fmt::format("exact_resume.data: {} is {}, where a count from {} is "
                                        "expected; the file is damaged or was edited",
                                        key, value->to_int(), least));
}

int64_t count_at(const StateDict& state, const char* key, int64_t least) {
  static_cast<void>(state.at(key));
  return *find_count(state, key, least);
}

std::string loaders_text(size_t count) {
  return count == 1 ? "1 loader" : fmt::format("{} loaders", count);
}

}  // namespace

int64_t DataUnit::Source::samples_in(int64_t n, bool repeats) const {
  const int64_t of_batches = saturated_product(n, *batch_size);
  if (!samples.has_value()) return of_batches;
  const int64_t of_epoch = drops_last ? *samples - *samples % *batch_size : *samples;
  if (!repeats || of_epoch == 0) return std::min(of_batches, of_epoch);
  const int64_t round = (of_epoch + *batch_size - 1) / *batch_size;  // in batches
  return saturated_product(n / round, of_epoch) + std::min(n % round * *batch_size, of_epoch);
}

DataUnit DataUnit::of(const std::shared_ptr<DataLoader>& loader, int64_t batches) {
  DataUnit unit;
  unit.batches = batches;
  const auto* combined = dynamic_cast<const CombinedLoader*>(loader.get());
  unit.repeats = combined != nullptr && combined->mode() == CombinedMode::max_size_cycle;
  for (const auto& source : source_loaders({loader})) {
    unit.sources.push_back({.batch_size = source->batch_size(),
                            .samples = source->dataset_size(),
                            .drops_last = source->drops_last(),
                            .shuffles = source->shuffles(),
                            .seed = source->seed()});
  }
  return unit;
}

DataUnit DataUnit::from_state(const StateDict& state) {
  DataUnit unit;
  unit.batches = count_at(state, "batches", -1);
  unit.accumulate_grad_batches = count_at(state, "accumulate_grad_batches", 1);
  unit.repeats = state.at("repeats").to_bool();
  for (const StateValue& each : state.at("sources").to_list()) {
    const StateDict& source = each.to_dict();
    Source& own = unit.sources.emplace_back();
    own.batch_size = find_count(source, "batch_size", 1);
    if (!own.batch_size) {
      own.batch_size = find_count(source, "measured_batch_size", 1);
      own.is_measured = own.batch_size.has_value();
    }
    own.samples = find_count(source, "samples", 0);
    own.drops_last = source.at("drops_last").to_bool();
    own.shuffles = source.at("shuffles").to_bool();
    if (const StateValue* seed = source.find("seed")) {
      own.seed = static_cast<uint64_t>(seed->to_int());
    }
  }
  return unit;
}

StateDict DataUnit::state() const {
  StateList all;
  for (const Source& source : sources) {
    StateDict own{{"drops_last", source.drops_last}, {"shuffles", source.shuffles}};
    if (source.batch_size) {
      own[source.is_measured ? "measured_batch_size" : "batch_size"] = *source.batch_size;
    }
    if (source.samples) own["samples"] = *source.samples;
    if (source.seed) own["seed"] = static_cast<int64_t>(*source.seed);
    all.emplace_back(std::move(own));
  }
  return {{"batches", batches},
          {"accumulate_grad_batches", accumulate_grad_batches},
          {"repeats", repeats},
          {"sources", std::move(all)}};
}

std::string to_string(const DataUnit& unit) {
  std::string text = unit.batches < 0 ? "batches" : fmt::format("{} batches", unit.batches);
  std::string sizes;
  for (const DataUnit::Source& source : unit.sources) {
    if (!source.batch_size) return text;
    sizes += fmt::format("{}{}", sizes.empty() ? "" : " + ", *source.batch_size);
  }
  return fmt::format("{} of {} samples", text, sizes);
}

bool UnitChange::is_other_size() const {
  if (is_other_source_count()) return false;
  bool differs = false;
  for (size_t i = 0; i < from_.sources.size(); ++i) {
    const auto& before = from_.sources[i].batch_size;
    const auto& now = to_.sources[i].batch_size;
    if (!before || !now) return false;
    differs = differs || *before != *now;
  }
  return differs;
}

int64_t UnitChange::convert(int64_t batches) const {
  if (!is_other_size()) return batches;
  // Those that have ended don't say where the others are.
  std::optional<int64_t> position;
  int64_t of_ended = 0;
  for (size_t i = 0; i < from_.sources.size(); ++i) {
    const DataUnit::Source& before = from_.sources[i];
    const int64_t size = *to_.sources[i].batch_size;
    const int64_t samples = before.samples_in(batches, false);
    const bool ended = samples < saturated_product(batches, *before.batch_size);
    if (ended) {
      of_ended = std::max(of_ended, (samples + size - 1) / size);
    } else {
      position = std::min(position.value_or(kMostSamples), samples / size);
    }
  }
  return position.value_or(of_ended);
}

std::string UnitChange::inexactness(int64_t batches) const {
  if (!is_other_size()) return {};
  const int64_t position = convert(batches);
  int64_t again = 0;
  bool left_out = false;
  for (size_t i = 0; i < from_.sources.size(); ++i) {
    const int64_t before = from_.sources[i].samples_in(batches, from_.repeats);
    const int64_t now = to_.sources[i].samples_in(position, to_.repeats);
    again += std::max<int64_t>(0, before - now);
    left_out = left_out || now > before;
  }
  if (left_out) return "not all of its loaders are at the same sample";
  if (again == 0) return {};
  return again == 1 ? "1 sample is trained a second time"
                    : fmt::format("{} samples are trained a second time", again);
}

std::string UnitChange::other_order() const {
  if (is_other_source_count()) {
    return fmt::format("have {}, and had {} in the training that is resumed",
                       loaders_text(to_.sources.size()), loaders_text(from_.sources.size()));
  }
  for (size_t i = 0; i < from_.sources.size(); ++i) {
    const DataUnit::Source& before = from_.sources[i];
    const DataUnit::Source& now = to_.sources[i];
    if (before.samples && now.samples && *before.samples != *now.samples) {
      return fmt::format("have {} samples, and had {} in the training that is resumed",
                         *now.samples, *before.samples);
    }
    if (before.shuffles != now.shuffles) {
      return now.shuffles ? "are shuffled, and were not shuffled in the training that is resumed"
                          : "are not shuffled, and were shuffled in the training that is resumed";
    }
    if (now.shuffles && before.seed && now.seed && *before.seed != *now.seed) {
      return fmt::format("are shuffled by seed {}, and by seed {} in the training that is resumed",
                         *now.seed, *before.seed);
    }
  }
  return {};
}

}  // namespace grapnel
