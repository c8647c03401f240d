// In which number types a run computes, by Lightning's names.
//
//   32-true     as the model is, usually 32 bits (default)
//   64-true, bf16-true, 16-true
//               parameters, buffers and the numbers of each batch are converted to that type
//   bf16-mixed  parameters as they are; operators that can run in bfloat16 do so within a step
//   16-mixed    the same in float16; the loss is scaled so that small gradients don't vanish, and a
//               step whose gradients overflowed is skipped (grad_scaler.h). On a CPU, bf16-mixed is
//               used in its place, as in Lightning
//
// Only steps (training_step, validation_step, ...) run in it; hooks and the backward pass see the
// default number type.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/batch.h"
#include "grapnel/export.h"
#include "grapnel/state_view.h"

namespace grapnel {

enum class Precision { f32_true, f64_true, bf16_true, f16_true, bf16_mixed, f16_mixed };

// "32-true", "bf16-mixed", ...
GRAPNEL_CORE_API std::string_view to_string(Precision precision);
// Also the short spellings: "32", "64", "bf16" (bf16-mixed), "16" (16-mixed). Nothing for any other
// text.
GRAPNEL_CORE_API std::optional<Precision> parse_precision(std::string_view text);
// All spellings, for messages and tables.
GRAPNEL_CORE_API const std::vector<std::string>& precision_names();

// The type of parameters and input under a "-true" precision; nothing for 32-true and the mixed
// ones, which leave them as they are.
GRAPNEL_CORE_API std::optional<at::ScalarType> converted_type(Precision precision);

// Converts what is a floating-point number: parameters and buffers in their place, with their
// gradients dropped, and the tensors of a batch.
GRAPNEL_CORE_API void convert_parameters(StateView& view, Precision precision);
GRAPNEL_CORE_API void convert_input(Batch& batch, Precision precision);

// Autocast, or the default number type of new tensors, for a scope.
class GRAPNEL_CORE_API PrecisionScope {
 public:
  PrecisionScope(Precision precision, const at::Device& device);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  struct Autocast {
    at::DeviceType device;
    bool enabled;
    bool cached;
    at::ScalarType type;
  };
  std::optional<Autocast> autocast_before_;
  std::optional<at::ScalarType> default_before_;
};

}  // namespace grapnel
