#include "loggers/csv_file.h"

#include <algorithm>
#include <map>

#include "grapnel/base/text.h"
#include "loggers/metric_text.h"

namespace grapnel {

std::vector<std::string> split_csv(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (quoted && c == '"' && at + 1 < line.size() && line[at + 1] == '"') {
      fields.back() += line[++at];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

std::string join_csv(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    if (fields[i].find_first_of(",\"") == std::string::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (const char c : fields[i]) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line;
}

void CsvFile::append(const Logger::Metrics& metrics, std::int64_t step) {
  if (!lines_.is_open()) {
    const std::string header = lines_.open();
    columns_ = header.empty() ? std::vector<std::string>() : split_csv(header);
  }

  std::map<std::string, std::string> cells;
  // Names have no line breaks in the file: a row is a line.
  for (const auto& [name, value] : metrics) cells[printable(name)] = metric_text(name, value);
  cells["step"] = std::to_string(step);

  std::vector<std::string> columns = columns_;
  for (const auto& [name, text] : cells) {
    if (std::find(columns_.begin(), columns_.end(), name) == columns_.end())
      columns.push_back(name);
  }
  if (columns.size() != columns_.size()) {
    std::sort(columns.begin(), columns.end());
    lines_.rewrite(join_csv(columns), [&](const std::string& row) {
      const std::vector<std::string> old = split_csv(row);
      std::vector<std::string> fields;
      for (const std::string& column : columns) {
        const auto place = std::find(columns_.begin(), columns_.end(), column) - columns_.begin();
        fields.push_back(static_cast<size_t>(place) < old.size() ? old[static_cast<size_t>(place)]
                                                                 : "");
      }
      return join_csv(fields);
    });
    columns_ = std::move(columns);
  }

  std::vector<std::string> fields;
  for (const std::string& column : columns_) {
    const auto cell = cells.find(column);
    fields.push_back(cell == cells.end() ? "" : cell->second);
  }
  lines_.append(join_csv(fields));
}

}  // namespace grapnel
