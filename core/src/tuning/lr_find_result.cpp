#include "grapnel/lr_find_result.h"

#include <ATen/ops/gradient.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

LRSweep parse_lr_sweep(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "exponential") return LRSweep::exponential;
  if (lower == "linear") return LRSweep::linear;
  throw ConfigError(
      {}, fmt::format("mode={} is not possible; it must be 'exponential' or 'linear'", quote(text)),
      "mode");
}

std::optional<size_t> LRFindResult::suggested_index(size_t skip_begin, size_t skip_end) const {
  const size_t end = loss.size() - std::min(skip_end, loss.size());
  std::vector<size_t> places;
  std::vector<float> rates;
  std::vector<float> losses;
  for (size_t i = skip_begin; i < end; ++i) {
    if (!std::isfinite(loss[i])) continue;
    places.push_back(i);
    rates.push_back(static_cast<float>(lr[i]));
    losses.push_back(static_cast<float>(loss[i]));
  }
  if (places.size() < 2) return std::nullopt;
  const std::vector<at::Tensor> slope = at::gradient(at::tensor(losses), {at::tensor(rates)});
  return places[static_cast<size_t>(slope.at(0).argmin().item<int64_t>())];
}

std::optional<double> LRFindResult::suggestion(size_t skip_begin, size_t skip_end) const {
  if (const auto index = suggested_index(skip_begin, skip_end)) return lr[*index];
  log_error(
      "no learning rate can be suggested: of the {} losses recorded, too few are left "
      "after the first {} and the last {}; raise num_training_steps, or give more data",
      loss.size(), skip_begin, skip_end);
  return std::nullopt;
}

void LRFindResult::plot(const std::filesystem::path& file) const {
  create_parent_directories(file);
  write_file(file, to_svg(), Durability::fast);
}

}  // namespace grapnel
