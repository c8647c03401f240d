// Any bytes are a safetensors file or a DataError; what is accepted lies within the file, and is
// written and read back the same. Inputs are taken as a whole file, and as a header alone (with the
// length that belongs to it), so that the fuzzer need not find out about lengths.
#include <grapnel/base/error.h>
#include <grapnel/base/safetensors.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "fuzz_target.h"

namespace safetensors_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

std::vector<std::byte> written_again(const SafetensorsFile& file) {
  SafetensorsWriter writer;
  for (const auto& [key, text] : file.metadata()) writer.set_metadata(key, text);
  for (const TensorEntry& tensor : file.tensors()) {
    writer.add({tensor.name, tensor.dtype, tensor.shape, file.bytes(tensor)});
  }
  std::vector<std::byte> out;
  writer.write(
      [&](std::span<const std::byte> piece) { out.insert(out.end(), piece.begin(), piece.end()); });
  return out;
}

void read(std::vector<std::byte> bytes) {
  try {
    const SafetensorsFile file = SafetensorsFile::from_bytes(std::move(bytes), "fuzz");
    const SafetensorsFile again = SafetensorsFile::from_bytes(written_again(file), "again");
    require(again.tensors().size() == file.tensors().size());
    for (const TensorEntry& tensor : file.tensors()) {
      const TensorEntry* other = again.find(tensor.name);
      require(other != nullptr && other->dtype == tensor.dtype && other->shape == tensor.shape);
      require(std::ranges::equal(file.bytes(tensor), again.bytes(*other)));
    }
  } catch (const DataError&) {
  }
}

}  // namespace

GRAPNEL_FUZZ_TARGET(safetensors) {
  read({bytes.begin(), bytes.end()});
  if (bytes.empty()) return;
  // The first byte says how much data follows the header.
  const std::size_t size = bytes.size() - 1;
  std::vector<std::byte> file(8);
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(size >> (8 * i));
  file.insert(file.end(), bytes.begin() + 1, bytes.end());
  file.resize(file.size() + std::to_integer<std::size_t>(bytes[0]));
  read(std::move(file));
}

}  // namespace safetensors_fuzz
