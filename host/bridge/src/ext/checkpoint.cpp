// Extension checkpoint: the files of the trainer's ModelCheckpoints, and pins on them.
#include <grapnel/ext/checkpoint.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>

#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

namespace fs = std::filesystem;

bool is_complete(const Trainer& trainer, const fs::path& file) {
  std::error_code error;
  return !file.empty() && file != trainer.checkpoint_in_the_making() && fs::exists(file, error);
}

grapnel_string lend_path(InstanceHost& self, const fs::path& path) {
  return self.keep_text(path_text(fs::absolute(path)));
}

template <class Use>
void for_each_writer(const Trainer& trainer, Use&& use) {
  for (const CallbackHandle& handle : trainer.callbacks()) {
    if (const auto* writer = dynamic_cast<const ModelCheckpoint*>(handle.callback.get())) {
      use(*writer);
    }
  }
}

std::int32_t GRAPNEL_CALL last(const grapnel_host* host, grapnel_string* path) noexcept {
  return service<NoTensors>(host, "checkpoint.last", [&](InstanceHost& self) {
    check_output(path);
    const Trainer* trainer = self.trainer();
    if (trainer == nullptr) return GRAPNEL_NOT_NOW;
    fs::path newest;
    fs::file_time_type written = fs::file_time_type::min();
    for_each_writer(*trainer, [&](const ModelCheckpoint& writer) {
      for (const std::string& file :
           {writer.newest_model_path(), writer.last_model_path(), writer.best_model_path()}) {
        if (!is_complete(*trainer, file)) continue;
        std::error_code error;
        const fs::file_time_type time = fs::last_write_time(file, error);
        if (error || (!newest.empty() && time <= written)) continue;
        newest = file;
        written = time;
      }
    });
    if (newest.empty()) return GRAPNEL_NOT_FOUND;
    *path = lend_path(self, newest);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL best(const grapnel_host* host, grapnel_string* path,
                               double* value) noexcept {
  return service<NoTensors>(host, "checkpoint.best", [&](InstanceHost& self) {
    check_output(path);
    check_output(value);
    const Trainer* trainer = self.trainer();
    if (trainer == nullptr) return GRAPNEL_NOT_NOW;
    const ModelCheckpoint* chosen = nullptr;
    for_each_writer(*trainer, [&](const ModelCheckpoint& writer) {
      if (!is_complete(*trainer, writer.best_model_path())) return;
      const bool has_monitor = !writer.options().monitor.empty();
      if (chosen == nullptr || (chosen->options().monitor.empty() && has_monitor)) {
        chosen = &writer;
      }
    });
    if (chosen == nullptr) return GRAPNEL_NOT_FOUND;
    *path = lend_path(self, chosen->best_model_path());
    *value = chosen->best_model_score().value_or(std::numeric_limits<double>::quiet_NaN());
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL writing(const grapnel_host* host, grapnel_string* path) noexcept {
  return service<NoTensors>(host, "checkpoint.writing", [&](InstanceHost& self) {
    check_output(path);
    const Trainer* trainer = self.trainer();
    if (trainer == nullptr) return GRAPNEL_NOT_NOW;
    const fs::path file = trainer->checkpoint_in_the_making();
    if (file.empty()) return GRAPNEL_NOT_FOUND;
    *path = lend_path(self, file);
    return GRAPNEL_OK;
  });
}

fs::path checked_path(grapnel_string path) {
  const std::string_view text = checked_text(path, "path");
  if (text.empty()) throw ContractBreach{"the path is empty"};
  if (text.find('\0') != text.npos) throw ContractBreach{"the path contains a zero byte"};
  return fs::absolute(fs::path(std::u8string(text.begin(), text.end()))).lexically_normal();
}

std::int32_t GRAPNEL_CALL pin(const grapnel_host* host, grapnel_string path,
                              grapnel_string reason) noexcept {
  return service<NoTensors>(host, "checkpoint.pin", [&](InstanceHost& self) {
    const std::string why = printable(checked_text(reason, "reason"));
    if (why.empty()) throw ContractBreach{"the reason is empty"};
    const fs::path file = checked_path(path);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    self.pins.emplace_back(file);
    self.log(LogLevel::debug, "keeps " + quote(path_text(file)) + ": " + why);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL unpin(const grapnel_host* host, grapnel_string path) noexcept {
  return service<NoTensors>(host, "checkpoint.unpin", [&](InstanceHost& self) {
    const fs::path file = checked_path(path);
    const auto found = std::ranges::find_if(
        self.pins, [&](const CheckpointPin& each) { return each.path() == file; });
    if (found == self.pins.end()) return GRAPNEL_NOT_FOUND;
    self.pins.erase(found);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_checkpoint kCheckpoint = {
    sizeof(grapnel_checkpoint), 0, &last, &best, &writing, &pin, &unpin};

}  // namespace grapnel::bridge
