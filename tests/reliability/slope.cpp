#include "slope.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace grapnel::reliability {

namespace {

using Points = std::vector<std::pair<double, double>>;

std::pair<double, double> mean_of(const Points& points, std::size_t begin, std::size_t end) {
  std::pair<double, double> sum{0, 0};
  for (std::size_t i = begin; i < end; ++i) {
    sum.first += points[i].first;
    sum.second += points[i].second;
  }
  const auto count = static_cast<double>(end - begin);
  return {sum.first / count, sum.second / count};
}

Points block_means(const Points& points, std::size_t blocks) {
  Points means;
  for (std::size_t block = 0; block < blocks; ++block) {
    means.push_back(
        mean_of(points, points.size() * block / blocks, points.size() * (block + 1) / blocks));
  }
  return means;
}

}  // namespace

Slope slope_of(const Points& points, int blocks) {
  const std::size_t count = std::min(points.size(), static_cast<std::size_t>(blocks));
  if (count < 3) return {};
  const Points means = block_means(points, count);
  const auto [x_mean, y_mean] = mean_of(means, 0, count);
  double xx = 0, xy = 0;
  for (const auto& [x, y] : means) {
    xx += (x - x_mean) * (x - x_mean);
    xy += (x - x_mean) * (y - y_mean);
  }
  if (xx == 0) return {};
  Slope slope{.value = xy / xx};
  double residual = 0;
  for (const auto& [x, y] : means) {
    const double off = y - y_mean - slope.value * (x - x_mean);
    residual += off * off;
  }
  slope.standard_error = std::sqrt(residual / static_cast<double>(count - 2) / xx);
  return slope;
}

}  // namespace grapnel::reliability
