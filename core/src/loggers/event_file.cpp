#include "loggers/event_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/crc.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <protozero/pbf_writer.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/process.h"
#include "grapnel/base/text.h"
#include "values/directory_listing.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

using protozero::pbf_writer;

constexpr std::string_view kNamePrefix = "events.out.tfevents.";  // then seconds since 1970
constexpr std::string_view kNameOwner = ".grapnel.";

constexpr std::size_t kMostWaiting = std::size_t{32} << 20;  // bytes

// Field numbers, by message.
struct EventField {
  static constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7;
};
struct SessionLogField {
  static constexpr int status = 1;
};
struct SummaryField {
  static constexpr int value = 1;
};
struct ValueField {
  static constexpr int tag = 1, simple_value = 2, histogram = 5, tensor = 8, metadata = 9;
};
struct MetadataField {
  static constexpr int plugin_data = 1, data_class = 4;
};
struct PluginDataField {
  static constexpr int plugin_name = 1, content = 2;
};
struct TensorField {
  static constexpr int dtype = 1, shape = 2, string_val = 8;
};
struct HistogramField {
  static constexpr int min = 1, max = 2, count = 3, sum = 4, sum_squares = 5, limits = 6,
                       buckets = 7;
};
struct HParamsField {
  static constexpr int experiment = 2, session_start = 3, session_end = 4;
};
struct ExperimentField {
  static constexpr int hparam_infos = 4, metric_infos = 5;
};
struct HParamInfoField {
  static constexpr int name = 1, type = 4;
};
struct MetricInfoField {
  static constexpr int name = 1, name_tag = 2;
};
struct SessionStartField {
  static constexpr int hparams = 1, start_time = 5;
};
struct SessionEndField {
  static constexpr int status = 1, end_time = 2;
};

constexpr int kSessionStart = 1;                                      // SessionLog.SessionStatus
constexpr int kDtFloat = 1, kDtString = 7;                            // DataType
constexpr int kDataClassTensor = 2;                                   // DataClass
constexpr int kHParamString = 1, kHParamBool = 2, kHParamNumber = 3;  // hparams.DataType
constexpr int kStatusSuccess = 1, kStatusFailure = 2;                 // hparams.Status
constexpr int kNull = 1, kNumber = 2, kString = 3, kBool = 4;         // google.protobuf.Value

std::string little_endian(std::uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::string metadata(std::string_view plugin, const std::string& content, int data_class) {
  std::string data;
  pbf_writer plugin_data(data);
  plugin_data.add_string(PluginDataField::plugin_name, std::string(plugin));
  plugin_data.add_bytes(PluginDataField::content, content);
  std::string out;
  pbf_writer writer(out);
  writer.add_message(MetadataField::plugin_data, data);
  if (data_class != 0) writer.add_enum(MetadataField::data_class, data_class);
  return out;
}

// A tensor of one text, or of no float at all.
std::string tensor(int dtype, const std::string* text) {
  std::string dim;
  if (text != nullptr) pbf_writer(dim).add_int64(1, 1);
  std::string shape;
  pbf_writer(shape).add_message(2, dim);
  std::string out;
  pbf_writer writer(out);
  writer.add_enum(TensorField::dtype, dtype);
  writer.add_message(TensorField::shape, shape);
  if (text != nullptr) writer.add_bytes(TensorField::string_val, *text);
  return out;
}

std::string summary(const std::string& value) {
  std::string out;
  pbf_writer(out).add_message(SummaryField::value, value);
  return out;
}

std::string hparams_summary(const char* tag, int field, const std::string& content) {
  std::string data;
  pbf_writer(data).add_message(field, content);
  std::string value;
  pbf_writer writer(value);
  writer.add_string(ValueField::tag, tag);
  writer.add_message(ValueField::metadata, metadata("hparams", data, kDataClassTensor));
  writer.add_message(ValueField::tensor, tensor(kDtFloat, nullptr));
  return summary(value);
}

// Upper limits of the buckets: powers of 1.1 on both sides of 0, as in TensorFlow.
const std::vector<double>& bucket_limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> positive;
    for (double limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push_back(limit);
    positive.push_back(std::numeric_limits<double>::max());
    std::vector<double> all;
    for (auto limit = positive.rbegin(); limit != positive.rend(); ++limit) all.push_back(-*limit);
    all.push_back(0.0);
    all.insert(all.end(), positive.begin(), positive.end());
    return all;
  }();
  return limits;
}

std::string histogram_proto(std::span<const double> values) {
  const std::vector<double>& limits = bucket_limits();
  std::vector<double> counts(limits.size(), 0.0);
  double min = std::numeric_limits<double>::max();
  double max = std::numeric_limits<double>::lowest();
  double count = 0.0;
  double sum = 0.0;
  double squares = 0.0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    min = std::min(min, value);
    max = std::max(max, value);
    count += 1.0;
    sum += value;
    squares += value * value;
    // limits[i - 1] <= value < limits[i]
    const auto above = std::upper_bound(limits.begin(), limits.end() - 1, value);
    counts[static_cast<size_t>(above - limits.begin())] += 1.0;
  }
  const auto not_empty = [](double n) { return n > 0.0; };
  size_t first =
      static_cast<size_t>(std::find_if(counts.begin(), counts.end(), not_empty) - counts.begin());
  const size_t last =
      counts.size() - static_cast<size_t>(std::find_if(counts.rbegin(), counts.rend(), not_empty) -
                                          counts.rbegin());
  if (first > 0) --first;  // an empty one, so that the first bucket has a lower limit
  std::string out;
  pbf_writer writer(out);
  writer.add_double(HistogramField::min, count > 0 ? min : 0.0);
  writer.add_double(HistogramField::max, count > 0 ? max : 0.0);
  writer.add_double(HistogramField::count, count);
  writer.add_double(HistogramField::sum, sum);
  writer.add_double(HistogramField::sum_squares, squares);
  if (count > 0) {
    const auto slice = [&](const std::vector<double>& all) {
      return std::pair(all.begin() + static_cast<std::ptrdiff_t>(first),
                       all.begin() + static_cast<std::ptrdiff_t>(last));
    };
    const auto [limit_begin, limit_end] = slice(limits);
    const auto [count_begin, count_end] = slice(counts);
    writer.add_packed_double(HistogramField::limits, limit_begin, limit_end);
    writer.add_packed_double(HistogramField::buckets, count_begin, count_end);
  }
  return out;
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  // The Castagnoli polynomial, reflected.
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xA282EAD8u;
}

std::vector<std::string> event_files_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::path& path : paths_in(directory)) {
    std::string name = path.filename().string();
    if (name.starts_with(kNamePrefix) && name.find(kNameOwner) != std::string::npos) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

bool begins_with_purge(const fs::path& file) {
  // The record of the file's version, then the session log: type 7, 2 bytes, status 1.
  constexpr std::string_view kSessionLog("\x3a\x02\x08\x01", 4);
  constexpr std::uint64_t kFrame = 16;  // of a record: two checksums and a length
  try {
    File in = File::open(file, OpenMode::read);
    std::string head(256, '\0');
    head.resize(in.read(std::as_writable_bytes(std::span(head))));
    if (head.size() < 8) return false;
    const std::uint64_t first = kFrame + static_cast<unsigned char>(head[0]);
    const std::string_view rest = std::string_view(head).substr(std::min(first, head.size()));
    if (rest.size() < 8) return false;
    const std::size_t length = static_cast<unsigned char>(rest[0]);
    return rest.substr(0, length + kFrame).find(kSessionLog) != std::string_view::npos;
  } catch (const IoError&) {
    return false;
  }
}

namespace {

fs::path new_name(const fs::path& directory, double wall_time) {
  static std::atomic<int> count = 0;
  auto seconds = static_cast<std::int64_t>(wall_time);
  for (const std::string& name : event_files_in(directory)) {
    std::int64_t taken = 0;
    const char* begin = name.data() + kNamePrefix.size();
    std::from_chars(begin, name.data() + name.size(), taken);
    seconds = std::max(seconds, taken + 1);
  }
  return directory /
         fmt::format("{}{:010}{}{}.{}", kNamePrefix, seconds, kNameOwner, process_id(), count++);
}

}  // namespace

EventFile::EventFile(const fs::path& directory, double wall_time)
    : file_(new_name(directory, wall_time)) {
  std::string event;
  pbf_writer writer(event);
  writer.add_double(EventField::wall_time, wall_time);
  writer.add_string(EventField::file_version, "brain.Event:2");
  write_record(event);
}

void EventFile::write_record(std::string_view data) {
  if (waiting_.size() >= kMostWaiting) {
    ++dropped_;
    return;
  }
  const std::string length = little_endian(data.size(), 8);
  waiting_ += length + little_endian(masked_crc32c(length), 4);
  waiting_ += data;
  waiting_ += little_endian(masked_crc32c(data), 4);
}

void EventFile::write_event(std::int64_t step, double wall_time, int field,
                            const std::string& content) {
  std::string event;
  pbf_writer writer(event);
  writer.add_double(EventField::wall_time, wall_time);
  writer.add_int64(EventField::step, step);
  writer.add_message(field, content);
  write_record(event);
}

void EventFile::scalar(std::string_view tag, double value, std::int64_t step, double wall_time) {
  std::string content;
  pbf_writer writer(content);
  writer.add_string(ValueField::tag, std::string(tag));
  writer.add_float(ValueField::simple_value, static_cast<float>(value));
  write_event(step, wall_time, EventField::summary, summary(content));
}

void EventFile::text(std::string_view tag, std::string_view text, std::int64_t step,
                     double wall_time) {
  const std::string copy(text);
  std::string content;
  pbf_writer writer(content);
  writer.add_string(ValueField::tag, std::string(tag));
  writer.add_message(ValueField::metadata, metadata("text", "", kDataClassTensor));
  writer.add_message(ValueField::tensor, tensor(kDtString, &copy));
  write_event(step, wall_time, EventField::summary, summary(content));
}

void EventFile::histogram(std::string_view tag, std::span<const double> values, std::int64_t step,
                          double wall_time) {
  std::string content;
  pbf_writer writer(content);
  writer.add_string(ValueField::tag, std::string(tag));
  writer.add_message(ValueField::histogram, histogram_proto(values));
  write_event(step, wall_time, EventField::summary, summary(content));
}

void EventFile::begin_session(const StateDict& settings, std::string_view metric,
                              double wall_time) {
  std::string experiment;
  std::string session;
  pbf_writer experiment_writer(experiment);
  pbf_writer session_writer(session);
  for (const auto& [name, setting] : settings) {
    std::string value;
    int type = kHParamString;
    if (setting.is_bool()) {
      pbf_writer(value).add_bool(kBool, setting.to_bool());
      type = kHParamBool;
    } else if (setting.is_int() || setting.is_double()) {
      pbf_writer(value).add_double(kNumber, setting.to_double());
      type = kHParamNumber;
    } else if (setting.is_null()) {
      pbf_writer(value).add_enum(kNull, 0);
    } else {
      pbf_writer(value).add_string(kString,
                                   setting.is_string() ? setting.to_string() : setting.describe());
    }
    std::string info;
    pbf_writer info_writer(info);
    info_writer.add_string(HParamInfoField::name, name);
    info_writer.add_enum(HParamInfoField::type, type);
    experiment_writer.add_message(ExperimentField::hparam_infos, info);
    std::string entry;  // of the map: key, value
    pbf_writer entry_writer(entry);
    entry_writer.add_string(1, name);
    entry_writer.add_message(2, value);
    session_writer.add_message(SessionStartField::hparams, entry);
  }
  if (!metric.empty()) {
    std::string name;
    pbf_writer(name).add_string(MetricInfoField::name_tag, std::string(metric));
    std::string info;
    pbf_writer(info).add_message(MetricInfoField::name, name);
    experiment_writer.add_message(ExperimentField::metric_infos, info);
  }
  session_writer.add_double(SessionStartField::start_time, wall_time);
  write_event(0, wall_time, EventField::summary,
              hparams_summary("_hparams_/experiment", HParamsField::experiment, experiment));
  write_event(
      0, wall_time, EventField::summary,
      hparams_summary("_hparams_/session_start_info", HParamsField::session_start, session));
}

void EventFile::end_session(bool success, double wall_time) {
  std::string session;
  pbf_writer writer(session);
  writer.add_enum(SessionEndField::status, success ? kStatusSuccess : kStatusFailure);
  writer.add_double(SessionEndField::end_time, wall_time);
  write_event(0, wall_time, EventField::summary,
              hparams_summary("_hparams_/session_end_info", HParamsField::session_end, session));
}

void EventFile::purge_from(std::int64_t step, double wall_time) {
  std::string log;
  pbf_writer(log).add_enum(SessionLogField::status, kSessionStart);
  write_event(step, wall_time, EventField::session_log, log);
}

void EventFile::flush() {
  if (waiting_.empty()) return file_.restore_if_removed();
  file_.write(waiting_);
  waiting_.clear();
  if (const std::int64_t dropped = std::exchange(dropped_, 0)) {
    log_warning("{} lacks {} events, which could not be kept until it could be written again",
                quote(display_path(path())), dropped);
  }
}

}  // namespace grapnel
