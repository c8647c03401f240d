// The picture of a search for a learning rate. Written here, because all it takes is two axes and a
// line, and the packaged plotters of C++ are windows and toolkits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "grapnel/lr_find_result.h"

namespace grapnel {

namespace {

constexpr double kWidth = 720, kHeight = 440;
constexpr double kLeft = 76, kRight = 24, kTop = 44, kBottom = 58;

// One axis: from values to places in the picture.
struct Axis {
  double low, high;    // values at its ends; of a logarithmic one, their decades
  double start, stop;  // places
  bool logarithmic = false;

  double place(double value) const {
    const double v = logarithmic ? std::log10(value) : value;
    return start + (v - low) / (high - low) * (stop - start);
  }
};

struct Tick {
  double value;
  std::string label;
};

// Steps of 1, 2 or 5 times a power of ten, about `wanted` of them.
std::vector<Tick> linear_ticks(const Axis& axis, int wanted) {
  const double rough = (axis.high - axis.low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  std::vector<Tick> ticks;
  for (double n = std::ceil(axis.low / step - 1e-9); n * step <= axis.high + step * 1e-9; ++n) {
    const double value = n * step;
    ticks.push_back({value, fmt::format("{:.6g}", std::abs(value) < step * 1e-9 ? 0.0 : value)});
  }
  return ticks;
}

// Whole decades, thinned out when there are many; 1, 2, 5 within them when there are few.
std::vector<Tick> decade_ticks(const Axis& axis) {
  std::vector<Tick> ticks;
  const auto first = static_cast<int>(std::floor(axis.low));
  const auto last = static_cast<int>(std::ceil(axis.high));
  const int every = (last - first) / 10 + 1;
  for (int decade = first; decade <= last; ++decade) {
    for (const int factor : {1, 2, 5}) {
      if (factor != 1 && last - first > 2) continue;
      const double value = factor * std::pow(10.0, decade);
      const double at = std::log10(value);
      if (at < axis.low - 1e-9 || at > axis.high + 1e-9) continue;
      if ((decade - first) % every != 0) continue;
      ticks.push_back({value, fmt::format("{:g}", value)});
    }
  }
  return ticks;
}

struct Range {
  double low, high;
};

Range padded(double low, double high) {
  if (high - low < 1e-12 * std::max(1.0, std::abs(high))) {
    const double half = std::max(0.5, std::abs(high) * 0.05);
    return {low - half, high + half};
  }
  return {low, high};
}

}  // namespace

std::string LRFindResult::to_svg() const {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 "
      "{0:g} {1:g}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"{2:g}\" y=\"26\" font-size=\"16\">Loss over learning rate</text>\n",
      kWidth, kHeight, kLeft);
  std::vector<size_t> points;
  const bool logarithmic = mode == LRSweep::exponential;
  for (size_t i = 0; i < std::min(lr.size(), loss.size()); ++i) {
    if (std::isfinite(loss[i]) && std::isfinite(lr[i]) && (!logarithmic || lr[i] > 0)) {
      points.push_back(i);
    }
  }
  if (points.empty()) {
    return out + fmt::format(
                     "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">no finite loss</text>\n"
                     "</svg>\n",
                     kWidth / 2, kHeight / 2);
  }
  double least = loss[points[0]], most = least;
  double from = lr[points[0]], to = from;
  for (const size_t i : points) {
    least = std::min(least, loss[i]);
    most = std::max(most, loss[i]);
    from = std::min(from, lr[i]);
    to = std::max(to, lr[i]);
  }
  // What shoots up at the end would press the rest flat: past the suggestion and the least loss the
  // line may leave the picture at the top.
  const std::optional<size_t> best = suggested_index();
  double shown = loss[points[0]];
  bool least_seen = false;
  for (const size_t i : points) {
    shown = std::max(shown, loss[i]);
    least_seen = least_seen || loss[i] == least;
    if (least_seen && i >= best.value_or(0)) break;
  }
  most = std::min(most, shown + (shown - least));
  const Range rates = logarithmic ? padded(std::log10(from), std::log10(to)) : padded(from, to);
  Range losses = padded(least, most);
  const double margin = 0.06 * (losses.high - losses.low);
  losses = {losses.low - margin, losses.high + margin};
  const Axis x{rates.low, rates.high, kLeft, kWidth - kRight, logarithmic};
  const Axis y{losses.low, losses.high, kHeight - kBottom, kTop};

  for (const Tick& tick : logarithmic ? decade_ticks(x) : linear_ticks(x, 7)) {
    const double at = x.place(tick.value);
    out += fmt::format(
        "<path d=\"M{0:.1f} {1:g}V{2:g}\" stroke=\"#e4e4e4\"/><text x=\"{0:.1f}\" y=\"{3:g}\" "
        "text-anchor=\"middle\">{4}</text>\n",
        at, kTop, kHeight - kBottom, kHeight - kBottom + 19, tick.label);
  }
  for (const Tick& tick : linear_ticks(y, 6)) {
    const double at = y.place(tick.value);
    out += fmt::format(
        "<path d=\"M{0:g} {1:.1f}H{2:g}\" stroke=\"#e4e4e4\"/><text x=\"{3:g}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5}</text>\n",
        kLeft, at, kWidth - kRight, kLeft - 8, at + 4.5, tick.label);
  }
  out += fmt::format(
      "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">learning rate</text>\n"
      "<text transform=\"translate(20 {:g}) rotate(-90)\" text-anchor=\"middle\">loss "
      "(smoothed)</text>\n"
      "<clipPath id=\"plot\"><rect x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" "
      "height=\"{:g}\"/></clipPath>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 14, (kTop + kHeight - kBottom) / 2, kLeft, kTop,
      kWidth - kLeft - kRight, kHeight - kTop - kBottom);

  // A gap where a loss is missing.
  std::string line;
  for (size_t n = 0; n < points.size(); ++n) {
    const size_t i = points[n];
    const bool continues = n > 0 && points[n - 1] + 1 == i;
    line += fmt::format("{}{:.1f} {:.1f}", continues ? "L" : "M", x.place(lr[i]), y.place(loss[i]));
  }
  out += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"#1f6fb4\" stroke-width=\"2\" "
      "stroke-linejoin=\"round\" clip-path=\"url(#plot)\"/>\n"
      "<path d=\"M{:g} {:g}V{:g}H{:g}\" fill=\"none\" stroke=\"#222\"/>\n",
      line, kLeft, kTop, kHeight - kBottom, kWidth - kRight);

  if (best.has_value()) {
    const double at_x = x.place(lr[*best]);
    const double at_y = std::clamp(y.place(loss[*best]), kTop, kHeight - kBottom);
    const bool left_side = at_x > kWidth * 0.6;  // room for the words
    out += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f}V{2:g}\" stroke=\"#c8352b\" stroke-dasharray=\"4 4\"/>\n"
        "<circle cx=\"{0:.1f}\" cy=\"{1:.1f}\" r=\"6\" fill=\"#c8352b\"/>\n"
        "<text x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"{5}\" fill=\"#c8352b\" stroke=\"#fff\" "
        "stroke-width=\"4\" paint-order=\"stroke\">suggestion: {6:.3g}</text>\n",
        at_x, at_y, kHeight - kBottom, left_side ? at_x - 12 : at_x + 12,
        std::max(at_y - 10, kTop + 14), left_side ? "end" : "start", lr[*best]);
  }
  return out + "</svg>\n";
}

}  // namespace grapnel
