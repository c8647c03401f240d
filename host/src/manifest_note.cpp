#include <grapnel/note.h>

#include <grapnel/host/manifest.h>

#include "bytes_reader.h"
#include "library_formats.h"

namespace grapnel::host {
namespace {

struct NoteHeader {
  std::uint32_t name_size;         // with the NUL
  std::uint32_t description_size;  // without padding
  std::uint32_t type;
};
static_assert(sizeof(NoteHeader) == 12);

constexpr std::string_view note_name{GRAPNEL_NOTE_NAME, sizeof(GRAPNEL_NOTE_NAME)};

// Entries are padded to 4 bytes, in some sections to 8.
class NoteScan {
 public:
  NoteScan(std::span<const std::byte> notes, std::uint64_t alignment)
      : reader_(notes), alignment_(alignment) {}

  std::optional<std::string> find() {
    std::uint64_t at = 0;
    while (at + sizeof(NoteHeader) <= reader_.size()) {
      const auto header = reader_.read<NoteHeader>(at, "a note");
      // There are zeros between the notes of two sections, and after the last one; a note has a
      // name.
      at = header.name_size == 0 ? at + 4 : read_note(at, header);
    }
    return std::move(manifest_);
  }

 private:
  // Returns where the next one starts.
  std::uint64_t read_note(std::uint64_t at, const NoteHeader& header) {
    const std::uint64_t name_at = at + sizeof(NoteHeader);
    const std::uint64_t description_at = at + padded(sizeof(NoteHeader) + header.name_size);
    const auto name = reader_.part(name_at, header.name_size, "the name of a note");
    const auto description =
        reader_.part(description_at, header.description_size, "the text of a note");
    if (header.type == GRAPNEL_NOTE_TYPE && as_text(name) == note_name) {
      if (manifest_) throw DataError("it contains two manifests; rebuild it with one");
      if (description.size() > max_manifest_bytes) {
        throw DataError(fmt::format("its manifest has {} bytes, at most {} are accepted",
                                    description.size(), max_manifest_bytes));
      }
      manifest_ = std::string(as_text(description));
    }
    return at + padded(description_at - at + header.description_size);
  }

  [[nodiscard]] std::uint64_t padded(std::uint64_t size) const {
    return (size + alignment_ - 1) / alignment_ * alignment_;
  }

  BytesReader reader_;
  std::uint64_t alignment_;
  std::optional<std::string> manifest_;
};

}  // namespace

std::optional<std::string> find_manifest_note(std::span<const std::byte> notes) {
  // The alignment of a segment does not help: linkers put sections of both kinds into one, aligned
  // for the larger. Ours is padded to 4, as nearly all others are, or they have sizes that suit
  // both.
  try {
    return NoteScan(notes, 4).find();
  } catch (const DataError&) {
    try {
      return NoteScan(notes, 8).find();
    } catch (const DataError&) {
      // Both fail: the first error is about the usual kind.
    }
    throw;
  }
}

}  // namespace grapnel::host
