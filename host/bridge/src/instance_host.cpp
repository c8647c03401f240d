#include "instance_host.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/repeated_part.h>
#include <grapnel/version.h>

#include "describe_exception.h"
#include "ext/extensions.h"
#include "ext/known_device.h"
#include "ext/lease_list.h"
#include "ext/live_area.h"
#include "ext/module_entries.h"
#include "ext/operators.h"
#include "ext/plugin_identity.h"
#include "ext/trainer_state.h"

namespace grapnel::bridge {

InstanceHost::InstanceHost(PluginSite site, Parameters parameters, PluginCallback& owner)
    : block_(HostBlock::make(
          *this, {sizeof(grapnel_host), GRAPNEL_ABI_MINOR, to_abi("grapnel"),
                  to_abi(version_string()), &InstanceHost::get_extension, &InstanceHost::fail})),
      site_(std::move(site)),
      parameters_(std::move(parameters)),
      owner_(owner),
      running_{site_.plugin.c_str(), site_.version.c_str(), site_.callback.c_str()} {
  note_running_plugin(running_);
  generators.whose = site_.plugin + "/" + site_.callback;
  trainer_state.struct_size = sizeof trainer_state;
  trainer_state.batch_idx = -1;
  trainer_state.max_epochs = -1;
  trainer_state.max_steps = -1;
  trainer_state.max_time = -1;
  trainer_state.num_training_batches = -1;
  trainer_state.accumulate_grad_batches = 1;
}

InstanceHost::~InstanceHost() {
  want_no_trainer_state(*this);
  tell_of_left_out(log_limit_.take_left_out());
  block_.close();
}

std::int32_t refuse_thread(HostBlock& block, const char* name) noexcept {
  const HostBlock::Access access(block);
  if (access.get() == nullptr) return GRAPNEL_NOT_NOW;  // destroyed
  access.get()->not_now(name, "called on a thread other than the one that called the plugin");
  return GRAPNEL_WRONG_THREAD;
}

// [any-thread]: messages about a broken contract can't name the running hook.
std::int32_t InstanceHost::get_extension(const grapnel_host* host, grapnel_string id,
                                         const void** table) noexcept {
  return any_thread_service(host, [&](InstanceHost& self) {
    if (table == nullptr || !is_text(id)) {
      constexpr std::string_view line = "broke the contract of get_extension: ";
      try {
        const std::string text =
            std::string(line) +
            (table == nullptr ? "the output pointer is NULL" : "the id " + text_fault(id));
        self.log_once(LogLevel::warning, text, text);
      } catch (...) {
        // no memory for a message; the status still says it
      }
      return GRAPNEL_INVALID_ARGUMENT;
    }
    const void* found = extension_table(view(id));
    if (found == nullptr) return GRAPNEL_NOT_FOUND;
    if (found == &kThread) self.asked_for_thread.store(true, std::memory_order_relaxed);
    if (found == &kTiming) self.asked_for_timing.store(true, std::memory_order_relaxed);
    *table = found;
    return GRAPNEL_OK;
  });
}

std::int32_t InstanceHost::fail(const grapnel_host* host, grapnel_string text) {
  return service(host, "fail", [&](InstanceHost& self) {
    if (!is_text(text)) throw ContractBreach{"the text " + text_fault(text)};
    self.set_failure(printable(view(text)));  // escapes bytes that aren't UTF-8
    return GRAPNEL_OK;
  });
}

std::int32_t InstanceHost::keep(std::exception_ptr exception, const char* name) noexcept {
  try {
    if (pending_ != nullptr) {
      log(LogLevel::warning,
          fmt::format("{}: ignored the failure of a host service: {}",
                      call_ != nullptr ? call_->name : "?", describe_exception(pending_)));
    }
    log(LogLevel::debug, fmt::format("{} failed: {}", name, describe_exception(exception)));
  } catch (...) {
    // no memory for a message; the exception itself is kept
  }
  pending_ = std::move(exception);
  return GRAPNEL_PENDING;
}

std::int32_t InstanceHost::invalid(const char* name, std::string_view text) noexcept {
  try {
    const std::string line = fmt::format("broke the contract of {} in {}: {}", name,
                                         call_ != nullptr ? call_->name : "no hook", text);
    log_once(LogLevel::warning, line, line);
  } catch (...) {
    // no memory for a message; the status still says it
  }
  return GRAPNEL_INVALID_ARGUMENT;
}

std::int32_t InstanceHost::not_now(const char* name, std::string_view text) noexcept {
  try {
    const std::string line = fmt::format("{}: {}", name, text);
    log_once(LogLevel::warning, line, line);
  } catch (...) {
    // no memory for a message; the status still says it
  }
  return GRAPNEL_NOT_NOW;
}

// No fault of the plugin, which may do without: it is told once, and not as a warning.
std::int32_t InstanceHost::unsupported(const char* name, std::string_view text) noexcept {
  try {
    const std::string line = fmt::format("{} in {}: {}; this host offers ABI {}.{}", name,
                                         call_ != nullptr ? call_->name : "no hook", text,
                                         GRAPNEL_ABI_MAJOR, GRAPNEL_ABI_MINOR);
    log_once(LogLevel::info, line, line);
  } catch (...) {
    // no memory for a message; the status still says it
  }
  return GRAPNEL_UNSUPPORTED;
}

PluginError InstanceHost::error(const std::string& text) const {
  PluginSite site = site_;
  if (call_ != nullptr && call_->in_hook) site.hook = call_->name;
  return PluginError::in_hook(std::move(site), text);
}

void InstanceHost::log(LogLevel level, std::string_view text) const noexcept {
  try {
    log_text(level, fmt::format("[{}] {}", site_.plugin, printable(text)));
  } catch (...) {
    // logging never changes what a run does
  }
}

bool InstanceHost::is_first(std::string_view key) {
  constexpr std::size_t kMostKeys = 10'000;  // bounds the memory of keys made of data
  const std::lock_guard lock(log_mutex_);
  if (once_.contains(key)) return false;
  if (once_.size() >= kMostKeys) once_.clear();
  once_.emplace(key);
  return true;
}

void InstanceHost::log_once(LogLevel level, std::string_view key, std::string_view text) noexcept {
  try {
    if (is_first(key)) log(level, text);
  } catch (...) {
    // as above
  }
}

void InstanceHost::log_limited(LogLevel level, std::string_view text) noexcept {
  try {
    const std::shared_ptr<LogSink> sink = log_sink();
    if (sink == nullptr || !sink->wants(level)) return;
    std::optional<std::uint64_t> left_out;
    {
      const std::lock_guard lock(log_mutex_);
      left_out = log_limit_.admit(text.size(), LogLimit::Clock::now());
    }
    if (!left_out) return;
    tell_of_left_out(*left_out);
    log(level, text);
  } catch (...) {
    // as above
  }
}

void InstanceHost::log_once_limited(LogLevel level, std::string_view key,
                                    std::string_view text) noexcept {
  try {
    if (is_first(key)) log_limited(level, text);
  } catch (...) {
    // as above
  }
}

void InstanceHost::tell_of_left_out(std::uint64_t lines) const noexcept {
  if (lines == 0) return;
  try {
    log(LogLevel::warning,
        fmt::format("{} more lines were left out; a plugin may log {} at once and then {} a second",
                    lines, LogLimit::kBurst, LogLimit::kPerSecond));
  } catch (...) {
    // as above
  }
}

void InstanceHost::forget_kept() {
  if (kept_.call == calls()) return;
  kept_.texts.clear();
  kept_.groups.clear();
  kept_.call = calls();
}

void InstanceHost::keep_beginning() {
  const std::uint64_t part = present_part();
  if (part != beginning_.part) beginning_ = {part, generators.states, rate_factors};
}

InstanceHost::ServiceState InstanceHost::service_state() const noexcept {
  const std::uint64_t part = repeated_part();
  if (part == 0 || part != beginning_.part) return {generators.states, rate_factors};
  return {beginning_.generators, beginning_.rate_factors};
}

grapnel_string InstanceHost::keep_text(std::string_view text) {
  forget_kept();
  return to_abi(kept_.texts.emplace_back(to_utf8(text)));
}

grapnel_string InstanceHost::lend_text(const std::string& text) {
  return is_utf8(text) ? to_abi(text) : keep_text(text);
}

const grapnel_optimizer_group* InstanceHost::keep_group(const grapnel_optimizer_group& group) {
  forget_kept();
  return &kept_.groups.emplace_back(group);
}

const std::string& InstanceHost::label() const noexcept {
  return owner_.name();
}

const std::filesystem::path& InstanceHost::origin_directory() const noexcept {
  return owner_.origin_directory_;
}

void InstanceHost::log_metric(Event& event, const std::string& name, const LogValue& value,
                              const LogOptions& options) {
  owner_.log_metric(event, name, value, options);
}

std::string text_fault(grapnel_string text) {
  if (text.data == nullptr) return fmt::format("is NULL with a size of {}", text.size);
  return fmt::format("is {} bytes long, at most {} are accepted", text.size,
                     GRAPNEL_MAX_TEXT_BYTES);
}

std::string_view checked_text(grapnel_string text, const char* what) {
  if (!is_text(text)) throw ContractBreach{fmt::format("the {} {}", what, text_fault(text))};
  const std::string_view content = view(text);
  if (!is_utf8(content)) throw ContractBreach{fmt::format("the {} is not UTF-8", what)};
  return content;
}

grapnel_tensor& checked_tensor(const InstanceHost& self, const grapnel_tensor* handle) {
  if (grapnel_tensor* found = self.tensors.find(handle)) return *found;
  throw ContractBreach{handle == nullptr
                           ? "a tensor handle is NULL"
                           : "a tensor handle is not valid: it was released, the hook that lent it "
                             "has returned, or it is not this instance's"};
}

}  // namespace grapnel::bridge
