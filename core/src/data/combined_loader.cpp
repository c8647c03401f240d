#include "grapnel/data/combined_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "grapnel/base/described.h"
#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

// Adds a part's tensors under its source's name; undefined ones for a part that has ended.
void add_part(const Batch& part, const std::string& source, bool ended,
              std::vector<at::Tensor>& tensors, std::vector<std::string>& names) {
  if (part.payload.has_value()) {
    throw DataError(
        fmt::format("a batch of {} has a payload, which a CombinedLoader can't combine with "
                    "others; "
                    "give its content as tensors",
                    quote(source)));
  }
  for (size_t i = 0; i < part.size(); ++i) {
    tensors.push_back(ended ? at::Tensor() : part[i]);
    const std::string& name = part.name(i);
    names.push_back(fmt::format("{}.{}", source, name.empty() ? std::to_string(i) : name));
  }
}

}  // namespace

GRAPNEL_DESCRIBE_ENUM(CombinedMode, min_size, max_size_cycle, max_size, sequential);

std::string_view to_string(CombinedMode mode) {
  return enum_text(mode);
}

CombinedLoader::CombinedLoader(std::vector<Source> sources, CombinedMode mode)
    : sources_(std::move(sources)), mode_(mode) {
  if (sources_.empty()) throw ConfigError({}, "a CombinedLoader was given no loader");
  for (auto source = sources_.begin(); source != sources_.end(); ++source) {
    if (source->name.empty() || source->loader == nullptr) {
      throw ConfigError::of("", "loader {} of a CombinedLoader has no {}",
                            source - sources_.begin(), source->name.empty() ? "name" : "loader");
    }
    if (std::any_of(sources_.begin(), source,
                    [&](const Source& other) { return other.name == source->name; })) {
      throw ConfigError::of("", "two loaders of a CombinedLoader are named {}",
                            quote(source->name));
    }
    const auto same = std::find_if(sources_.begin(), source, [&](const Source& other) {
      return other.loader == source->loader;
    });
    if (same != source && mode_ != CombinedMode::sequential &&
        source->loader->cursor() == nullptr) {
      throw ConfigError::of("",
                            "{} and {} of a CombinedLoader are the same loader, which has only one "
                            "position in its data; give two loaders, or override its cursor()",
                            quote(same->name), quote(source->name));
    }
  }
}

std::optional<int64_t> CombinedLoader::size() const {
  int64_t result = mode_ == CombinedMode::min_size ? std::numeric_limits<int64_t>::max() : 0;
  for (const Source& source : sources_) {
    const auto size = source.loader->size();
    if (!size.has_value()) return {};
    if (mode_ == CombinedMode::min_size) {
      result = std::min(result, *size);
    } else {
      result = mode_ == CombinedMode::sequential ? result + *size : std::max(result, *size);
    }
  }
  return result;
}

void CombinedLoader::start(int64_t epoch) {
  epoch_ = epoch;
  current_ = 0;
  started_ = true;
  walks_.clear();
  for (const Source& source : sources_) {
    std::shared_ptr<DataLoader> own = source.loader->cursor();
    walks_.push_back({.loader = own != nullptr ? std::move(own) : source.loader});
    // The others of a sequence start when their turn comes.
    if (mode_ != CombinedMode::sequential || walks_.size() == 1) walks_.back().loader->start(epoch);
  }
}

std::optional<Batch> CombinedLoader::next() {
  if (!started_) start(0);
  if (mode_ == CombinedMode::sequential) return next_in_sequence();
  std::vector<at::Tensor> tensors;
  std::vector<std::string> names;
  for (size_t i = 0; i < sources_.size(); ++i) {
    std::optional<Batch> part = next_part(i);
    Walk& walk = walks_[i];
    if (!part.has_value()) {
      const bool all_ended =
          std::all_of(walks_.begin(), walks_.end(), [](const Walk& w) { return w.ended; });
      if (mode_ == CombinedMode::min_size || all_ended) return {};
    }
    add_part(part.has_value() ? *part : walk.last, sources_[i].name, !part.has_value(), tensors,
             names);
    if (mode_ == CombinedMode::max_size && part.has_value()) walk.last = std::move(*part);
  }
  return Batch(std::move(tensors), std::move(names));
}

std::optional<Batch> CombinedLoader::next_in_sequence() {
  while (current_ < walks_.size()) {
    if (std::optional<Batch> batch = walks_[current_].loader->next()) return batch;
    if (++current_ < walks_.size()) walks_[current_].loader->start(epoch_);
  }
  return {};
}

// The next batch of one loader, in max_size_cycle of its next round; nothing when it has ended, or
// when with it all have.
std::optional<Batch> CombinedLoader::next_part(size_t index) {
  Walk& walk = walks_[index];
  DataLoader& loader = *walk.loader;
  if (walk.ended && mode_ != CombinedMode::max_size_cycle) return {};
  std::optional<Batch> part = loader.next();
  if (part.has_value()) return part;
  walk.ended = true;
  if (mode_ != CombinedMode::max_size_cycle) return {};
  if (std::all_of(walks_.begin(), walks_.end(), [](const Walk& w) { return w.ended; })) return {};
  // A round has a number that no epoch has, so that its order is another.
  ++walk.round;
  loader.start(epoch_ + (walk.round << 32));
  part = loader.next();
  if (!part.has_value()) {
    throw DataError(fmt::format("{} has no batch, so it can't be repeated along with the others",
                                quote(sources_[index].name)));
  }
  return part;
}

std::shared_ptr<DataLoader> CombinedLoader::cursor() const {
  auto own = std::make_shared<CombinedLoader>(*this);
  own->started_ = false;
  own->walks_.clear();
  return own;
}

bool CombinedLoader::shuffles() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const Source& source) { return source.loader->shuffles(); });
}

void CombinedLoader::set_shuffle(bool on) {
  for (const Source& source : sources_) source.loader->set_shuffle(on);
}

}  // namespace grapnel
