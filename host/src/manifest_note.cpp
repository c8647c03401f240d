#include <grapnel/note.h>

#include <algorithm>

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

std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

}  // namespace

std::optional<std::string> find_manifest_note(std::span<const std::byte> notes,
                                              std::size_t alignment) {
  const BytesReader reader(notes);
  std::optional<std::string> manifest;
  std::uint64_t at = 0;
  while (at < reader.size()) {
    // Zeros between the notes of two sections, and after the last one.
    if (reader.size() - at < sizeof(NoteHeader)) break;
    const auto header = reader.read<NoteHeader>(at, "a note");
    if (header.name_size == 0 && header.description_size == 0 && header.type == 0) {
      at += 4;
      continue;
    }
    const std::uint64_t name_at = at + sizeof(NoteHeader);
    const std::uint64_t description_at = name_at + padded(header.name_size, alignment);
    const auto name = reader.part(name_at, header.name_size, "the name of a note");
    const auto description =
        reader.part(description_at, header.description_size, "the text of a note");
    if (header.type == GRAPNEL_NOTE_TYPE && as_text(name) == note_name) {
      if (manifest) throw DataError("it holds two manifests; it must be built anew with one");
      if (description.size() > max_manifest_bytes) {
        throw DataError(fmt::format("its manifest has {} bytes, at most {} are accepted",
                                    description.size(), max_manifest_bytes));
      }
      manifest = std::string(as_text(description));
    }
    at = description_at + padded(header.description_size, alignment);
  }
  return manifest;
}

}  // namespace grapnel::host
