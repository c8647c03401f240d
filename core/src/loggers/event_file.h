// A file of TensorBoard events: records with checksums, each a message of event.proto.
//
// Events wait in memory until flush() has written them; if they become very many, the newest are
// dropped, which is told. Written with protozero, because LibTorch exports the symbols of its own
// protobuf. The field numbers are those of TensorFlow's event.proto, summary.proto and
// tensor.proto and of TensorBoard's plugins/hparams/{api,plugin_data}.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/state_dict.h"
#include "loggers/append_file.h"

namespace grapnel {

class EventFile {
 public:
  // A new file in a directory, made by the first flush(). Its name comes after those of all event
  // files that are there: TensorBoard reads them in the order of their names.
  EventFile(const std::filesystem::path& directory, double wall_time);

  const std::filesystem::path& path() const { return file_.path(); }
  // Bytes that flush() has written.
  std::uint64_t size() const { return file_.size(); }

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
  // IoError when events can't be written now; the next flush() tries again.
  void flush();

 private:
  void write_event(std::int64_t step, double wall_time, int field, const std::string& content);
  void write_record(std::string_view data);

  AppendFile file_;
  std::string waiting_;
  std::int64_t dropped_ = 0;
};

// The names of the event files in a directory that are grapnel's, in TensorBoard's order. Empty
// when there is no such directory; IoError when it can't be read.
std::vector<std::string> event_files_in(const std::filesystem::path& directory);
// Whether the file of a resumed run, which begins with purge_from(). False when it can't be read.
bool begins_with_purge(const std::filesystem::path& file);

// CRC-32C of the bytes, masked as in TFRecord files.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace grapnel
