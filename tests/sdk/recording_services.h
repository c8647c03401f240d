// The extension tables of the recording host, by id; inside of recording_host.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "recording_host.h"

namespace grapnel::test {

/// Null where the recording host has no such extension.
const void* service_table(std::string_view id);
/// Those about the model, optimizers, batches and outputs.
const void* model_table(std::string_view id);

/// Those about the course of a training.
const void* run_table(std::string_view id);

/// Null when the bytes don't fit the sizes.
FakeTensorPtr fake_from_data(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                             const void* data, std::uint64_t bytes);

}  // namespace grapnel::test
