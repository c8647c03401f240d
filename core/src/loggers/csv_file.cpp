#include "loggers/csv_file.h"

#include <algorithm>
#include <utility>

#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
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
  if (waiting() >= LineFile::kMostWaiting) {
    ++dropped_;
    return;
  }
  Row row;
  // Names have no line breaks in the file: a row is a line.
  for (const auto& [name, value] : metrics) row[printable(name)] = metric_text(name, value);
  row["step"] = std::to_string(step);
  waiting_.push_back(std::move(row));
}

void CsvFile::flush() {
  if (!waiting_.empty()) open();
  size_t added = 0;
  try {
    for (; added < waiting_.size(); ++added) add(waiting_[added]);
  } catch (...) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(added));
    throw;
  }
  waiting_.clear();
  lines_.flush();
  if (const std::int64_t dropped = std::exchange(dropped_, 0)) {
    log_warning("{} lacks {} rows, which could not be kept until it could be written again",
                quote(display_path(lines_.path())), dropped);
  }
}

void CsvFile::resume_at(const StateDict& state) {
  lines_.resume_at(state);
  waiting_.clear();
}

void CsvFile::open() {
  if (lines_.is_open()) return;
  std::string known;
  std::vector<std::string> columns;
  const std::string header = lines_.open([&](const std::string& of, const std::string& line) {
    if (columns.empty() || of != known) columns = split_csv(known = of);
    const std::vector<std::string> fields = split_csv(line);
    std::string identity;
    for (size_t i = 0; i < columns.size() && i < fields.size(); ++i) {
      if (!fields[i].empty()) identity += columns[i] + "=" + fields[i] + ",";
    }
    return identity;
  });
  columns_ = header.empty() ? std::vector<std::string>() : split_csv(header);
}

// Adds columns that are new, then the row.
void CsvFile::add(const Row& row) {
  std::vector<std::string> columns = columns_;
  for (const auto& [name, text] : row) {
    if (std::find(columns_.begin(), columns_.end(), name) == columns_.end())
      columns.push_back(name);
  }
  if (columns.size() != columns_.size()) {
    lines_.flush();
    std::sort(columns.begin(), columns.end());
    lines_.rewrite(join_csv(columns), [&](const std::string& line) {
      const std::vector<std::string> old = split_csv(line);
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
  std::string identity;
  for (const std::string& column : columns_) {
    const auto cell = row.find(column);
    fields.push_back(cell == row.end() ? "" : cell->second);
    if (cell != row.end()) identity += column + "=" + cell->second + ",";
  }
  lines_.add(join_csv(fields), identity);
}

}  // namespace grapnel
