#include "run/loader_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/data/combined_loader.h"

namespace grapnel {

int64_t LoaderSet::total() const {
  int64_t sum = 0;
  for (int64_t limit : limits) {
    if (limit == kUnlimited) return kUnlimited;
    sum += limit;
  }
  return sum;
}

int64_t limited_batches(std::optional<int64_t> size, const Amount& amount, const char* stage) {
  if (size == 0) return 0;
  if (amount.is_count) return size.has_value() ? std::min(*size, amount.count) : amount.count;
  const std::string option = fmt::format("limit_{}_batches", stage);
  if (!size.has_value()) {
    if (amount.fraction == 1.0) return kUnlimited;
    throw ConfigError(
        {},
        fmt::format("{}={} is a fraction, but the {}_dataloader doesn't know how many "
                    "batches it has; give a whole number of batches, or 1.0",
                    option, amount.fraction, stage),
        option);
  }
  const auto batches = static_cast<int64_t>(static_cast<double>(*size) * amount.fraction);
  if (batches == 0 && amount.fraction > 0) {
    throw ConfigError(
        {},
        fmt::format("{0}={1} of the {4}_dataloader is {1} * {2} < 1 batches; use at least "
                    "{0}={3:g}, or a whole number of batches",
                    option, amount.fraction, *size, 1.0 / static_cast<double>(*size), stage),
        option);
  }
  return batches;
}

DataLoaders separate_loaders(const DataLoaders& loaders) {
  DataLoaders separate;
  for (const auto& loader : loaders) {
    const auto* combined = dynamic_cast<const CombinedLoader*>(loader.get());
    if (combined == nullptr || combined->mode() != CombinedMode::sequential) {
      separate.push_back(loader);
      continue;
    }
    for (const auto& source : combined->sources()) separate.push_back(source.loader);
  }
  return separate;
}

DataLoaders source_loaders(const DataLoaders& loaders) {
  DataLoaders sources;
  for (const auto& loader : loaders) {
    const auto* combined = dynamic_cast<const CombinedLoader*>(loader.get());
    if (combined == nullptr) {
      sources.push_back(loader);
      continue;
    }
    for (const auto& source : combined->sources()) {
      for (auto& each : source_loaders({source.loader})) sources.push_back(std::move(each));
    }
  }
  return sources;
}

bool share_position(const DataLoaders& one, const DataLoaders& other) {
  const DataLoaders others = source_loaders(other);
  for (const auto& loader : source_loaders(one)) {
    if (std::find(others.begin(), others.end(), loader) == others.end()) continue;
    if (loader->cursor() == nullptr) return true;
  }
  return false;
}

Fetcher::Fetcher(DataLoaders loaders, std::vector<int64_t> limits, int64_t epoch, const char* stage,
                 int64_t skip)
    : loaders_(std::move(loaders)), limits_(std::move(limits)), epoch_(epoch), stage_(stage) {
  for (size_t i = 0; i < loaders_.size(); ++i) {
    if (auto own = loaders_[i]->cursor()) loaders_[i] = std::move(own);
    if (limits_[i] == kUnlimited || !loaders_[i]->size().has_value()) lookahead_ = true;
  }
  if (skip > 0 && !loaders_.empty()) {
    loaders_[0]->start(epoch_);
    loaders_[0]->skip(skip);
    started_ = true;
    taken_ = skip;
  }
}

std::optional<Fetcher::Item> Fetcher::advance() {
  while (current_ < loaders_.size()) {
    const int64_t limit = limits_[current_];
    if (limit == kUnlimited || taken_ < limit) {
      if (!started_) {
        loaders_[current_]->start(epoch_);
        started_ = true;
      } else if (lost_position_) {
        loaders_[current_]->start(epoch_);
        loaders_[current_]->skip(taken_);
      }
      lost_position_ = false;
      if (std::optional<Batch> batch = loaders_[current_]->next()) {
        return Item{std::move(*batch), taken_++, static_cast<int64_t>(current_), false};
      }
      if (limit != kUnlimited) warn_of_early_end();
    }
    ++current_;
    taken_ = 0;
    started_ = false;
  }
  return {};
}

void Fetcher::warn_of_early_end() const {
  const std::optional<int64_t> size = loaders_[current_]->size();
  const bool said = size.has_value() && *size > taken_;
  log_once(fmt::format("early-end/{}/{}", stage_, current_), LogLevel::warning,
           "the {} data ended after {} batches, fewer than the {} that {}; what comes at their end "
           "comes there",
           stage_, taken_, said ? *size : limits_[current_],
           said ? "their loader's size() says" : fmt::format("limit_{}_batches asks for", stage_));
}

bool Fetcher::exhausted_by_count() const {
  if (current_ >= loaders_.size()) return true;
  if (taken_ < limits_[current_]) return false;
  for (size_t i = current_ + 1; i < loaders_.size(); ++i) {
    if (limits_[i] > 0) return false;
  }
  return true;
}

std::optional<Fetcher::Item> Fetcher::next() {
  if (!lookahead_) {
    std::optional<Item> item = advance();
    if (item.has_value()) item->is_last = exhausted_by_count();
    return item;
  }
  if (!primed_) {
    ahead_ = advance();
    primed_ = true;
  }
  std::optional<Item> item = std::move(ahead_);
  ahead_.reset();
  if (item.has_value()) {
    ahead_ = advance();
    item->is_last = !ahead_.has_value();
  }
  return item;
}

}  // namespace grapnel
