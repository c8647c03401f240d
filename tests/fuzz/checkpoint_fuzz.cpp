// Any bytes as a checkpoint, with and without the checksum that belongs to them: refused with a
// CheckpointError, or tensors within the file and a document.
#include <grapnel/base/checkpoint_file.h>
#include <grapnel/host/checkpoint_summary.h>

#include <algorithm>
#include <vector>

#include "fuzz_target.h"
#include "input_file.h"

namespace checkpoint_fuzz {

using namespace grapnel;

namespace {

void open(const std::filesystem::path& path, CheckpointCheck check, FileAccess access) {
  try {
    const CheckpointFile file = CheckpointFile::open(path, check, access);
    (void)file.damaged_tensors();
    (void)write_json(file.document());
    for (const TensorEntry& tensor : file.tensors()) {
      (void)file.checksum(tensor);
      try {
        unsigned sum = 0;
        for (const std::byte byte : file.bytes(tensor)) sum += std::to_integer<unsigned>(byte);
        fuzz::require(sum != ~0u);
      } catch (const CheckpointError&) {  // on_use: this tensor is damaged
      }
    }
  } catch (const CheckpointError&) {
  }
}

void read(const std::filesystem::path& path) {
  open(path, CheckpointCheck::whole_file, FileAccess::copy);
  open(path, CheckpointCheck::on_use, FileAccess::map);
  try {
    (void)host::to_json(host::summarize_checkpoint(path));
  } catch (const CheckpointError&) {
  }
}

}  // namespace

GRAPNEL_FUZZ_TARGET(checkpoint) {
  static const fuzz::InputFile file("fuzz.ckpt");
  read(file.write(bytes));
  constexpr std::size_t size = std::tuple_size_v<Sha256Digest>;
  if (bytes.size() < size) return;
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  const std::span<std::byte> end = std::span(sealed).last(size);
  const Sha256Digest digest = sha256(std::span(sealed).first(sealed.size() - size));
  std::ranges::copy(std::as_bytes(std::span(digest)), end.begin());
  read(file.write(sealed));
}

}  // namespace checkpoint_fuzz
