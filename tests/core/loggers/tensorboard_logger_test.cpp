#include "grapnel/loggers/tensorboard_logger.h"

#include <ATen/ATen.h>

#include <cstring>

#include "catch.h"
#include "grapnel/base/clock.h"
#include "temp_dir.h"

namespace tensorboard_logger_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

// CRC-32C bit by bit, as RFC 3720 defines it.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}

template <class T>
T number(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}

std::uint32_t masked(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

// The messages of a file, after checking its framing and checksums.
std::vector<std::string> records(const fs::path& directory) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().find("tfevents") == std::string::npos) continue;
    const std::string bytes = grapnel::test::read_file(entry.path());
    for (size_t at = 0; at < bytes.size();) {
      const auto length = number<std::uint64_t>(bytes, at);
      REQUIRE(number<std::uint32_t>(bytes, at + 8) ==
              masked(std::string_view(bytes).substr(at, 8)));
      const std::string data = bytes.substr(at + 12, length);
      REQUIRE(number<std::uint32_t>(bytes, at + 12 + length) == masked(data));
      found.push_back(data);
      at += 16 + length;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("TensorBoard event records have the checksums of TFRecord files") {
  REQUIRE(crc32c("123456789") == 0xE3069283u);  // the check value of CRC-32C
  const TempDir directory;
  ManualClock clock;
  TensorBoardLogger logger(
      {.directory = {.save_dir = directory.path(), .version = "v"}, .clock = &clock});
  logger.start();
  CHECK(records(logger.log_dir()).empty());  // nothing before the first event
  logger.log_metrics({{"loss", 0.5}}, 7);
  logger.save();
  const auto found = records(logger.log_dir());
  REQUIRE(found.size() == 2);
  CHECK_THAT(found[0], Catch::Contains("brain.Event:2"));
  // wall_time = 1000 (field 1, 8 bytes), step = 7 (field 2), summary (field 5) {value {tag "loss", 0.5}}
  constexpr char kExpected[] =
      "\x09\0\0\0\0\0\x40\x8f\x40\x10\x07\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f";
  CHECK(found[1] == std::string(kExpected, sizeof kExpected - 1));
}

TEST_CASE("TensorBoardLogger of a resumed run marks the steps that TensorBoard drops") {
  const TempDir directory;
  ManualClock clock;
  const TensorBoardLoggerOptions options{
      .directory = {.save_dir = directory.path(), .version = "v"}, .clock = &clock};
  StateDict state;
  {
    TensorBoardLogger logger(options);
    logger.log_metrics({{"loss", 0.5}}, 4);
    state = logger.state_dict();
    logger.log_metrics({{"loss", 0.4}}, 5);
    logger.save();
  }
  TensorBoardLogger logger(options);
  logger.load_state_dict(state);
  logger.log_metrics({{"loss", 0.3}}, 5);
  logger.save();
  int purges = 0;
  for (const std::string& record : records(logger.log_dir())) {
    // step = 5 (field 2), session_log (field 7) {status = START}
    purges += record.find(std::string("\x10\x05\x3a\x02\x08\x01")) != std::string::npos;
  }
  CHECK(purges == 1);
  state["format"] = 9;
  CHECK_THROWS_AS(logger.load_state_dict(state), CheckpointError);
}

TEST_CASE("TensorBoardLogger of a resumed run has every point once, whenever it was interrupted") {
  const TempDir directory;
  ManualClock clock;  // all attempts within one second
  const auto logger = [&](const char* version = "v") {
    return std::make_unique<TensorBoardLogger>(TensorBoardLoggerOptions{
        .directory = {.save_dir = directory.path(), .version = version}, .clock = &clock});
  };
  // Steps from ... to, each with two values; the state is taken between the two of the last but one.
  const auto train = [](TensorBoardLogger& to, int64_t from, int64_t end, bool resumes) {
    StateDict state;
    to.log_hyperparams({{"lr", 0.5}});
    for (int64_t step = from; step < end; ++step) {
      if (!(resumes && step == from)) to.log_metrics({{"loss", 0.5}}, step);
      if (step == end - 2) state = to.state_dict();
      to.log_metrics({{"val_loss", 0.5}}, step);
    }
    to.save();
    return state;
  };
  const auto points = [&](const char* version, const std::string& tag) {
    int64_t count = 0;
    for (const std::string& record : records(directory / "grapnel_logs" / version)) {
      count += record.find("\x0a" + std::string(1, static_cast<char>(tag.size())) + tag + "\x15") !=
               std::string::npos;
    }
    return count;
  };
  StateDict state = train(*logger(), 0, 4, false);  // up to step 2
  for (int attempt = 0; attempt < 3; ++attempt) {   // each but the last is killed before it saves
    const auto resumed = logger();
    resumed->log_hyperparams({{"lr", 0.5}});
    resumed->save();
    resumed->load_state_dict(state);
    train(*resumed, 2, 6, true);
    CHECK(points("v", "loss") == 6);
    CHECK(points("v", "val_loss") == 6);
    CHECK(points("v", "hp_metric") == 1);
  }

  // In a directory that was moved, too.
  fs::rename(directory / "grapnel_logs" / "v", directory / "grapnel_logs" / "w");
  {
    const auto resumed = logger("w");
    resumed->load_state_dict(state);
    train(*resumed, 2, 5, true);
  }
  CHECK(points("w", "val_loss") == 5);
  CHECK(points("w", "hp_metric") == 1);

  // A run that begins anew there keeps the older files, where TensorBoard doesn't read them.
  train(*logger("w"), 0, 3, false);
  CHECK(points("w", "val_loss") == 3);
  CHECK(fs::exists(directory / "grapnel_logs" / "w" / "events-1.out"));
}

TEST_CASE("TensorBoardLogger's files of one second come in the order in which they were made") {
  const TempDir directory;
  ManualClock clock;
  StateDict state;
  std::vector<std::string> names;
  for (int attempt = 0; attempt < 12; ++attempt) {
    TensorBoardLogger logger(
        {.directory = {.save_dir = directory.path(), .version = "v"}, .clock = &clock});
    if (attempt > 0) logger.load_state_dict(state);
    logger.log_metrics({{"loss", 0.5}}, attempt);
    state = logger.state_dict();
    names.push_back(state.at("files").to_list().back().to_list().at(0).to_string());
  }
  CHECK(state.at("files").to_list().size() == 12);
  CHECK(std::is_sorted(names.begin(), names.end()));
}

TEST_CASE("TensorBoardLogger writes no histogram for an undefined tensor") {
  const TempDir directory;
  TensorBoardLogger logger({.directory = {.save_dir = directory.path()}});
  CHECK_THROWS_AS(logger.log_histogram("w", {}, 0), ConfigError);
  CHECK_NOTHROW(
      logger.log_histogram("w", at::full({3}, std::numeric_limits<double>::quiet_NaN()), 0));
  CHECK_NOTHROW(logger.log_histogram("w", at::arange(6, at::kInt).view({2, 3}), 0));
}

}  // namespace tensorboard_logger_test
