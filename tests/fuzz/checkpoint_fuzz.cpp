// Any bytes as a checkpoint, with and without the checksum that belongs to them: refused with a
// CheckpointError, or tensors within the file and a document.
#include <grapnel/base/checkpoint_file.h>
#include <grapnel/host/checkpoint_summary.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
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

// With the SHA-256 that belongs at its end: that of the header, or, in files of the first builds, of all
// that comes before it.
std::vector<std::byte> sealed(std::span<const std::byte> bytes) {
  constexpr std::size_t size = std::tuple_size_v<Sha256Digest>;
  std::vector<std::byte> all(bytes.begin(), bytes.end());
  std::uint64_t header = 0;
  if (all.size() < sizeof header + size) return all;
  std::memcpy(&header, all.data(), sizeof header);
  std::size_t covered = all.size() - size;
  if (header <= covered - sizeof header &&
      fuzz::as_text(bytes).find("grapnel.header_sha256") != std::string_view::npos) {
    covered = sizeof header + static_cast<std::size_t>(header);
  }
  const Sha256Digest digest = sha256(std::span(all).first(covered));
  std::ranges::copy(std::as_bytes(std::span(digest)), all.end() - size);
  return all;
}

}  // namespace

GRAPNEL_FUZZ_TARGET(checkpoint) {
  static const fuzz::InputFile file("fuzz.ckpt");
  open(file.write(bytes), CheckpointCheck::whole_file, FileAccess::map);
  const std::filesystem::path& path = file.write(sealed(bytes));
  open(path, CheckpointCheck::whole_file, FileAccess::copy);
  open(path, CheckpointCheck::on_use, FileAccess::map);
  try {
    (void)host::to_json(host::summarize_checkpoint(path));
  } catch (const CheckpointError&) {
  }
}

}  // namespace checkpoint_fuzz
