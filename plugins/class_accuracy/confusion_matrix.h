// Counts of predicted against true classes, and the files that hold them.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace confusion {

struct Matrix {
  std::int64_t classes = 0;
  std::vector<std::int64_t> counts;  // [true class][predicted class], row-major

  std::int64_t at(std::int64_t truth, std::int64_t predicted) const {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  /// The share of a class's samples that were recognized; empty for a class without samples.
  std::optional<double> accuracy(std::int64_t truth) const {
    std::int64_t samples = 0;
    for (std::int64_t p = 0; p < classes; ++p) samples += at(truth, p);
    if (samples == 0) return {};
    return static_cast<double>(at(truth, truth)) / static_cast<double>(samples);
  }
  /// Over the classes that have samples; empty when none has.
  std::optional<double> mean_accuracy() const {
    double sum = 0;
    std::int64_t present = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto one = accuracy(c);
      if (!one) continue;
      sum += *one;
      ++present;
    }
    if (present == 0) return {};
    return sum / static_cast<double>(present);
  }
};

/// A line for each true class, a column for each predicted one.
inline std::string as_csv(const Matrix& matrix) {
  std::string text = "true class";
  for (std::int64_t p = 0; p < matrix.classes; ++p) text += "," + std::to_string(p);
  text += '\n';
  for (std::int64_t t = 0; t < matrix.classes; ++t) {
    text += std::to_string(t);
    for (std::int64_t p = 0; p < matrix.classes; ++p) text += "," + std::to_string(matrix.at(t, p));
    text += '\n';
  }
  return text;
}

/// accuracy: null for a class without samples.
inline std::string as_json(const Matrix& matrix, std::int64_t epoch, std::int64_t global_step) {
  std::string rows, accuracy;
  for (std::int64_t t = 0; t < matrix.classes; ++t) {
    rows += t == 0 ? "\n    [" : ",\n    [";
    for (std::int64_t p = 0; p < matrix.classes; ++p) {
      rows += (p == 0 ? "" : ", ") + std::to_string(matrix.at(t, p));
    }
    rows += ']';
    std::string number = "null";
    if (const auto value = matrix.accuracy(t)) {
      char digits[32];  // not printf(), which would write a locale's decimal comma
      number.assign(
          digits,
          std::to_chars(digits, digits + sizeof digits, *value, std::chars_format::general, 6).ptr);
    }
    accuracy += (t == 0 ? "" : ", ") + number;
  }
  return "{\n  \"epoch\": " + std::to_string(epoch) +
         ",\n  \"global_step\": " + std::to_string(global_step) + ",\n  \"accuracy\": [" +
         accuracy + "],\n  \"matrix\": [" + rows + "\n  ]\n}\n";
}

}  // namespace confusion
