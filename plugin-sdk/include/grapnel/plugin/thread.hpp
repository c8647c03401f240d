// From a thread of the plugin back to the training's; ext/thread.h has the rules.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <grapnel/plugin/services.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Posts functions from any thread, until the callback is destroyed and after: they are then
/// refused. Get one in init, so that every batch is an occasion to run them.
class TrainingThread {
 public:
  /// Throws Unsupported when the host lacks the extension.
  explicit TrainingThread(detail::Context& context)
      : context_(&context), host_(context.host()), table_(context.find<grapnel_thread>()) {
    if (table_ == nullptr) {
      throw Unsupported("this host does not offer the extension " GRAPNEL_EXT_THREAD);
    }
  }

  /// Runs the function on the training thread, before the callback's next hook; what it throws is a
  /// failure of the callback. Freed without being called when the callback is destroyed first.
  /// False: refused, because the callback is destroyed or too many wait.
  bool post(std::function<void(Services&)> function) const {
    auto posted = std::make_unique<Posted>(Posted{context_, std::move(function)});
    const std::int32_t status = table_->post(host_, &run, &drop, posted.get());
    if (status != GRAPNEL_OK) return false;
    posted.release();  // run or drop frees it
    return true;
  }

 private:
  struct Posted {
    detail::Context* context;
    std::function<void(Services&)> function;
  };
  static std::int32_t GRAPNEL_CALL run(grapnel_instance*, void* data) noexcept {
    const std::unique_ptr<Posted> posted(static_cast<Posted*>(data));
    try {
      Services services(*posted->context);
      posted->function(services);
      return GRAPNEL_OK;
    } catch (...) {
      return detail::caught(posted->context->host());
    }
  }
  static std::int32_t GRAPNEL_CALL drop(grapnel_instance*, void* data) noexcept {
    delete static_cast<Posted*>(data);
    return GRAPNEL_OK;
  }

  detail::Context* context_;
  const grapnel_host* host_;
  const grapnel_thread* table_;
};

inline TrainingThread Services::training_thread() const {
  return TrainingThread(*context_);
}

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
