#include "grapnel/copy_on_write.h"

#include <ATen/ops/_lazy_clone.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/COW.h>

namespace grapnel {

namespace {

// Below this a copy is cheaper than what a lazy clone costs until it is gone.
constexpr size_t kLazyBytes = size_t{1} << 16;

bool can_be_lazy(const at::Tensor& tensor) {
  if (tensor.layout() != c10::kStrided || !tensor.has_storage()) return false;
  const c10::StorageImpl& storage = *tensor.storage().unsafeGetStorageImpl();
  const size_t bytes = tensor.nbytes();
  return bytes >= kLazyBytes && storage.nbytes() <= 2 * bytes &&
         (c10::impl::cow::is_cow_data_ptr(storage.data_ptr()) ||
          c10::impl::cow::has_simple_data_ptr(storage));
}

}  // namespace

DetachedCopy detached_copy(const at::Tensor& tensor) {
  const c10::AutoGradMode without_grad(false);
  const c10::InferenceMode normal_tensors(false);
  if (can_be_lazy(tensor)) return {at::_lazy_clone(tensor), true};
  return {tensor.clone(), false};
}

}  // namespace grapnel
