// Reads TensorBoard event files: records of (length, crc, message, crc), each message an Event of
// TensorFlow's protobuf schema (tensorflow/core/util/event.proto). Written from that schema, apart
// from the code that writes such files, so that the two check each other.
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "observe/observe.h"

namespace grapnel::oracle {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxEventFile = std::uint64_t{64} << 20;

// CRC-32C (Castagnoli), reflected, as RFC 3720 has it; masked as the record format wants it.
std::uint32_t masked_crc(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <class T>
T read_as(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// One field of a protobuf message.
struct Field {
  std::uint32_t number;
  std::uint32_t wire_type;
  std::uint64_t varint = 0;     // wire type 0
  std::string_view bytes = {};  // 1: 8 bytes, 2: as long as it says, 5: 4 bytes
};

class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  std::optional<Field> next() {
    if (rest_.empty()) return {};
    const std::uint64_t key = varint();
    Field field{static_cast<std::uint32_t>(key >> 3), static_cast<std::uint32_t>(key & 7)};
    switch (field.wire_type) {
      case 0:
        field.varint = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        throw Error("an event has a field of an unknown wire type");
    }
    return field;
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) throw Error("an event ends within a field");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw Error("an event has a number that doesn't end");
  }

  std::string_view rest_;
};

// The scalar of a TensorProto: float_val (5), or the bytes of tensor_content (4).
std::optional<double> tensor_scalar(std::string_view bytes) {
  Message tensor(bytes);
  std::optional<double> value;
  while (const auto field = tensor.next()) {
    const bool floats = field->number == 5 || field->number == 4;
    if (floats && field->bytes.size() == 4) value = read_as<float>(field->bytes);
  }
  return value;
}

// Event: step = 2, summary = 5; Summary: value = 1; Value: tag = 1, simple_value = 2, tensor = 8.
void read_event(std::string_view bytes, Json& scalars) {
  std::int64_t step = 0;
  std::string_view summary;
  Message event(bytes);
  while (const auto field = event.next()) {
    if (field->number == 2) step = static_cast<std::int64_t>(field->varint);
    if (field->number == 5) summary = field->bytes;
  }
  Message values(summary);
  while (const auto entry = values.next()) {
    if (entry->number != 1) continue;
    std::string tag;
    std::optional<double> number_value;
    Message value(entry->bytes);
    while (const auto field = value.next()) {
      if (field->number == 1) tag = field->bytes;
      if (field->number == 2) number_value = read_as<float>(field->bytes);
      if (field->number == 8) number_value = tensor_scalar(field->bytes);
    }
    if (!number_value) continue;
    if (!scalars.contains(tag)) scalars.set(tag, Json::array());
    Json pair = Json::array();
    pair.append(step);
    pair.append(number(*number_value));
    scalars.find(tag)->append(std::move(pair));
  }
}

void read_records(const fs::path& file, Json& scalars) {
  const std::string content = read_file(file, kMaxEventFile);
  std::string_view rest = content;
  while (!rest.empty()) {
    if (rest.size() < 16) throw Error("'" + file.string() + "' ends within a record");
    const auto length = read_as<std::uint64_t>(rest);
    if (length > rest.size() - 16) throw Error("'" + file.string() + "' ends within a record");
    const std::string_view data = rest.substr(12, length);
    if (masked_crc(rest.substr(0, 8)) != read_as<std::uint32_t>(rest.substr(8)) ||
        masked_crc(data) != read_as<std::uint32_t>(rest.substr(12 + length))) {
      throw Error("'" + file.string() + "' has a record whose checksum is wrong");
    }
    read_event(data, scalars);
    rest.remove_prefix(16 + length);
  }
}

}  // namespace

Json observe_tensorboard(const fs::path& directory) {
  Json scalars = Json::object();
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name.find("tfevents") != std::string::npos) {
      read_records(entry.path(), scalars);
    }
  }
  return scalars;
}

}  // namespace grapnel::oracle
