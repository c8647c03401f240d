#include "event_points.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include <grapnel/base/files.h>

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLengthBytes = 8, kChecksumBytes = 4;

// The fields of a protobuf message: number, and either its integer or its bytes.
using Field = std::function<void(std::uint64_t number, std::uint64_t integer, std::string_view)>;

std::uint64_t take_varint(std::string_view& data) {
  std::uint64_t value = 0;
  for (int shift = 0; !data.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

void for_each_field(std::string_view data, const Field& field) {
  enum Wire : std::uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  while (!data.empty()) {
    const std::uint64_t key = take_varint(data);
    if ((key & 7) == varint) {
      field(key >> 3, take_varint(data), {});
      continue;
    }
    std::size_t size = (key & 7) == fixed64 ? 8 : 4;
    if ((key & 7) == bytes) size = take_varint(data);
    if (size > data.size()) return;
    field(key >> 3, 0, data.substr(0, size));
    data.remove_prefix(size);
  }
}

// summary.value {tag = 1, simple_value = 2}
void add_value(std::string_view value, std::int64_t step, EventPoints& points) {
  std::string tag;
  std::string_view number;
  for_each_field(value, [&](std::uint64_t field, std::uint64_t, std::string_view bytes) {
    if (field == 1) tag = bytes;
    if (field == 2) number = bytes;
  });
  float scalar = 0;
  if (number.size() != sizeof(scalar)) return;
  std::memcpy(&scalar, number.data(), sizeof(scalar));
  if (!points.scalars.insert_or_assign({tag, step}, scalar).second) ++points.doubled;
}

// SessionLog {status = 1}, START = 1: an attempt begins at this step, and what a former one had from
// there on doesn't count.
void add_session(std::string_view session, std::int64_t step, EventPoints& points) {
  for_each_field(session, [&](std::uint64_t field, std::uint64_t integer, std::string_view) {
    if (field != 1 || integer != 1) return;
    std::erase_if(points.scalars, [step](const auto& point) { return point.first.second >= step; });
  });
}

// Event {step = 2, summary = 5 {value = 1}, session_log = 7}
void add_event(std::string_view event, EventPoints& points) {
  std::int64_t step = 0;
  std::vector<std::string_view> summaries, sessions;
  for_each_field(event, [&](std::uint64_t field, std::uint64_t integer, std::string_view bytes) {
    if (field == 2) step = static_cast<std::int64_t>(integer);
    if (field == 5) summaries.push_back(bytes);
    if (field == 7) sessions.push_back(bytes);
  });
  for (const std::string_view session : sessions) add_session(session, step, points);
  for (const std::string_view summary : summaries) {
    for_each_field(summary, [&](std::uint64_t field, std::uint64_t, std::string_view bytes) {
      if (field == 1) add_value(bytes, step, points);
    });
  }
}

}  // namespace

EventPoints read_event_points(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("events.")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  EventPoints points;
  for (const fs::path& file : files) {
    const std::string content = read_file(file, std::uint64_t{1} << 30);
    std::string_view rest = content;
    while (rest.size() > kLengthBytes + kChecksumBytes) {
      std::uint64_t length = 0;
      std::memcpy(&length, rest.data(), kLengthBytes);
      rest.remove_prefix(kLengthBytes + kChecksumBytes);
      if (length > rest.size() || rest.size() - length < kChecksumBytes) break;
      add_event(rest.substr(0, length), points);
      rest.remove_prefix(length + kChecksumBytes);
    }
  }
  return points;
}

}  // namespace grapnel::reliability
