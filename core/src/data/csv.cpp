#include "grapnel/data/csv.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "data/shared_options.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

constexpr uint64_t kMaxBytes = uint64_t{8} << 30;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view unquoted(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// The fields of a line; a delimiter between double quotes is none.
std::vector<std::string_view> fields_of(std::string_view line, char delimiter) {
  std::vector<std::string_view> fields;
  bool in_quotes = false;
  size_t start = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') in_quotes = !in_quotes;
    if (line[i] != delimiter || in_quotes) continue;
    fields.push_back(unquoted(line.substr(start, i - start)));
    start = i + 1;
  }
  fields.push_back(unquoted(line.substr(start)));
  return fields;
}

std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

constexpr char kDelimiters[] = {',', ';', '\t', ' '};

// What to do about a file that has one column as it is read, if another delimiter gives more.
std::string delimiter_hint(const CsvTable& table, char delimiter) {
  if (table.columns.size() != 1) return {};
  for (const char other : kDelimiters) {
    if (other == delimiter || table.columns[0].find(other) == std::string::npos) continue;
    const std::string shown = other == '\t' ? "\\t" : std::string(1, other);
    return fmt::format(
        "; the first line has '{0}' in it: if that is between the fields, set "
        "\"delimiter\" to \"{0}\"",
        shown);
  }
  return {};
}

size_t column_of(const CsvTable& table, const std::string& name,
                 const std::filesystem::path& path) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), name);
  if (found != table.columns.end()) return static_cast<size_t>(found - table.columns.begin());
  throw DataError(fmt::format("there is no column {}{}; there are {}", quote(name),
                              did_you_mean(name, table.columns), join_quoted(table.columns, "and")),
                  path);
}

void refuse_same_names(const std::vector<std::string>& columns, const std::filesystem::path& path) {
  std::map<std::string_view, size_t> places;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto [first, is_new] = places.emplace(columns[i], i);
    if (is_new) continue;
    throw DataError(fmt::format("columns {} and {} are both named {}; each needs a name of its own",
                                first->second + 1, i + 1, quote(columns[i])),
                    path);
  }
}

// Numbers that float32 has no finite value for make every loss nan or infinite. They may be meant: a
// model of the user's can have a use for them.
void warn_of_non_finite(const CsvTable& table, const std::vector<int64_t>& columns,
                        const std::filesystem::path& path) {
  const auto width = static_cast<int64_t>(table.columns.size());
  const double* values = table.rows.const_data_ptr<double>();
  int64_t count = 0;
  std::string first;
  for (int64_t row = 0; row < table.rows.size(0); ++row) {
    for (const int64_t column : columns) {
      const double value = values[row * width + column];
      if (std::isfinite(static_cast<float>(value)) || ++count > 1) continue;
      first = fmt::format("row {}, column {}: {}", row + 1,
                          quote(table.columns[static_cast<size_t>(column)]), value);
    }
  }
  if (count == 0) return;
  log_warning("{}: {} is no finite number in float32{}; a loss computed from it isn't one either",
              quote(display_path(path)), first,
              count == 1 ? "" : fmt::format(", nor are {} others", count - 1));
}

struct ColumnNames : OptionType<std::vector<std::string>> {
  static void check(const std::vector<std::string>& names) {
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
      if (seen.insert(name).second) continue;
      throw ConfigError::of("", "must name each column once, found {} twice", quote(name));
    }
  }
};

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, char delimiter) {
  const std::string text = read_file(path, kMaxBytes);
  CsvTable table;
  std::vector<double> numbers;
  int64_t rows = 0;
  int64_t line_number = 0;
  std::string_view rest = text;
  const char line_end = text.find('\n') == std::string::npos ? '\r' : '\n';
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);  // a UTF-8 byte order mark
  while (!rest.empty()) {
    const size_t end = rest.find(line_end);
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++line_number;
    if (trimmed(line).empty()) continue;
    const auto fields = fields_of(line, delimiter);
    if (table.columns.empty()) {
      table.columns.assign(fields.begin(), fields.end());
      refuse_same_names(table.columns, path);
      continue;
    }
    if (fields.size() != table.columns.size()) {
      throw DataError(
          fmt::format("line {} has {} fields, the first line names {} columns{}", line_number,
                      fields.size(), table.columns.size(), delimiter_hint(table, delimiter)),
          path);
    }
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::optional<double> number = number_of(fields[i]);
      if (!number) {
        throw DataError(fmt::format("line {}, column {}: {} is not a number{}", line_number,
                                    quote(table.columns[i]), quote(fields[i]),
                                    delimiter_hint(table, delimiter)),
                        path);
      }
      numbers.push_back(*number);
    }
    ++rows;
  }
  if (rows == 0) {
    throw DataError("there are no rows; the first line names the columns, the others are the data",
                    path);
  }
  table.rows = at::empty({rows, static_cast<int64_t>(table.columns.size())}, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), table.rows.mutable_data_ptr<double>());
  return table;
}

CsvDataModule::CsvDataModule(CsvDataOptions options)
    : TensorDataModule(options.loading), options_(std::move(options)) {
  options_table().check(options_, "CsvDataModule");
  const auto& features = options_.features;
  if (std::find(features.begin(), features.end(), options_.target) != features.end()) {
    throw ConfigError::of("features",
                          "CsvDataModule: features names {}, which is the target: a model would be "
                          "given what it is to predict",
                          quote(options_.target));
  }
}

const OptionsTable<CsvDataOptions>& CsvDataModule::options_table() {
  using O = CsvDataOptions;
  static const OptionsTable<CsvDataOptions> table(
      "csv", "Rows of numbers from a CSV file.",
      {option("path", &O::path)
           .required()
           .doc("Path of the file; its first line names the columns."),
       option("target", &O::target).required().doc("Name of the column to predict."),
       option<ColumnNames>("features", &O::features)
           .doc("Names of the inputs' columns; empty: all others."),
       option("classes", &O::classes).doc("The target is a class 0, 1, ..., else a number."),
       option("delimiter", &O::delimiter).one_of({",", ";", "\t", " "}).doc("Between the fields."),
       embed(&O::parts, split_options()), embed(&O::loading, loading_options())});
  return table;
}

void CsvDataModule::load() {
  const CsvTable table = read_csv(options_.path, options_.delimiter);
  const size_t target = column_of(table, options_.target, options_.path);
  std::vector<int64_t> features;
  for (const std::string& name : options_.features) {
    features.push_back(static_cast<int64_t>(column_of(table, name, options_.path)));
  }
  for (size_t i = 0; options_.features.empty() && i < table.columns.size(); ++i) {
    if (i != target) features.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> used = features;
  if (!options_.classes) used.push_back(static_cast<int64_t>(target));
  warn_of_non_finite(table, used, options_.path);
  const at::Tensor chosen = at::empty({static_cast<int64_t>(features.size())}, at::kLong);
  std::copy(features.begin(), features.end(), chosen.mutable_data_ptr<int64_t>());

  at::Tensor targets = table.rows.select(1, static_cast<int64_t>(target)).contiguous();
  if (options_.classes) {
    constexpr double kMostClasses = 1e9;
    const double* values = targets.const_data_ptr<double>();
    for (int64_t i = 0; i < targets.numel(); ++i) {
      const bool is_whole = values[i] == std::floor(values[i]);
      if (is_whole && values[i] >= 0.0 && values[i] < kMostClasses) continue;
      throw DataError(fmt::format("row {}, column {}: {} is not a class; classes are whole numbers "
                                  "from 0 to below {} (for other targets set \"classes\" to false)",
                                  i + 1, quote(options_.target), values[i], kMostClasses),
                      options_.path);
    }
    targets = targets.to(at::kLong);
  } else {
    targets = targets.to(at::kFloat).unsqueeze(1);
  }
  split({table.rows.index_select(1, chosen).to(at::kFloat), targets}, options_.parts,
        {.file = options_.path, .item = "row", .first = 1});
}

}  // namespace grapnel
