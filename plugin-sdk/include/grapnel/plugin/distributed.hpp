// Distribution over processes; ext/distributed.h has the rules.
#pragma once

#include <cstdint>

#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

enum class Reduction : std::int32_t {
  sum = GRAPNEL_REDUCE_SUM,
  mean = GRAPNEL_REDUCE_MEAN,
  min = GRAPNEL_REDUCE_MIN,
  max = GRAPNEL_REDUCE_MAX,
};

/// In a training of one process: rank 0 of 1, and every collective is the identity.
class Distributed {
 public:
  explicit Distributed(detail::Context& context) : context_(&context) {
    detail::check(context.call<&grapnel_distributed::info>(&info_), "the processes");
  }

  std::int64_t rank() const { return info_->rank; }
  std::int64_t world_size() const { return info_->world_size; }
  std::int64_t local_rank() const { return info_->local_rank; }
  /// Waits until every process is here.
  void barrier() const {
    detail::check(context_->call<&grapnel_distributed::barrier>(), "the barrier");
  }
  /// In place, of a tensor of the plugin's own.
  void all_reduce_(Tensor& tensor, Reduction reduction) const {
    tensor.context();
    detail::check(context_->call<&grapnel_distributed::all_reduce>(
                      tensor.handle(), static_cast<std::int32_t>(reduction)),
                  "reducing a tensor over the processes");
  }
  void broadcast_(Tensor& tensor, std::int64_t source) const {
    tensor.context();
    detail::check(context_->call<&grapnel_distributed::broadcast>(tensor.handle(), source),
                  "sending a tensor to the processes");
  }

 private:
  detail::Context* context_;
  const grapnel_process_info* info_ = nullptr;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
