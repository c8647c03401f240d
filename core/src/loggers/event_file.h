// A file of TensorBoard events: records with checksums, each a message of event.proto.
//
// Written with protozero, because LibTorch exports the symbols of its own protobuf.
// The field numbers are those of TensorFlow's event.proto, summary.proto and tensor.proto and of
// TensorBoard's plugins/hparams/{api,plugin_data}.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "grapnel/state_dict.h"

namespace grapnel {

class EventFile {
 public:
  // A new file in a directory that exists. IoError when it can't be made.
  EventFile(const std::filesystem::path& directory, double wall_time);

  const std::filesystem::path& path() const { return path_; }

  // wall_time: seconds since 1970.
  void scalar(std::string_view tag, double value, std::int64_t step, double wall_time);
  void text(std::string_view tag, std::string_view text, std::int64_t step, double wall_time);
  void histogram(std::string_view tag, std::span<const double> values, std::int64_t step,
                 double wall_time);
  // A session of the HPARAMS tab; settings: null, bools, numbers and texts. metric: may be empty.
  void begin_session(const StateDict& settings, std::string_view metric, double wall_time);
  void end_session(bool success, double wall_time);
  // Events of earlier files from this step on no longer count.
  void purge_from(std::int64_t step, double wall_time);
  void flush();

 private:
  void write_event(std::int64_t step, double wall_time, int field, const std::string& content);
  void write_record(std::string_view data);

  std::filesystem::path path_;
  std::ofstream out_;
};

// CRC-32C of the bytes, masked as in TFRecord files.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace grapnel
