// Windows' Portable Executable: machine and the section that holds the manifest.
#include <grapnel/note.h>

#include "bytes_reader.h"
#include "library_formats.h"

namespace grapnel::host {
namespace {

// The structures are those of Microsoft's "PE Format".
struct CoffHeader {
  std::uint16_t machine, section_count;
  std::uint32_t timestamp, symbols, symbol_count;
  std::uint16_t optional_header_size, characteristics;
};
static_assert(sizeof(CoffHeader) == 20);

struct SectionHeader {
  char name[8];
  std::uint32_t memory_size, address, file_size, file_offset;
  std::uint32_t relocations, line_numbers;
  std::uint16_t relocation_count, line_number_count;
  std::uint32_t characteristics;
};
static_assert(sizeof(SectionHeader) == 40);

constexpr std::uint16_t is_library_flag = 0x2000;
constexpr std::string_view manifest_section = ".grapnel";  // all of the 8 bytes, no NUL
static_assert(manifest_section.size() == sizeof(SectionHeader::name));

std::string pe_machine_name(std::uint16_t machine) {
  switch (machine) {
    case 0x14c:
      return "x86 (32-bit)";
    case 0x8664:
      return "x86_64";
    case 0xaa64:
      return "aarch64";
    default:
      return fmt::format("machine {:#x}", machine);
  }
}

}  // namespace

LibraryFacts read_pe(std::span<const std::byte> bytes) {
  const BytesReader file(bytes);
  const std::uint64_t signature_at = file.read<std::uint32_t>(0x3c, "the DOS header");
  if (as_text(file.part(signature_at, 4, "the PE signature")) != std::string_view("PE\0\0", 4)) {
    throw DataError("it is a DOS program, not a shared library");
  }
  const auto header = file.read<CoffHeader>(signature_at + 4, "the PE header");
  if ((header.characteristics & is_library_flag) == 0) {
    throw DataError("it is a Windows program, not a shared library");
  }
  LibraryFacts facts;
  facts.format = LibraryFormat::pe;
  facts.machine = pe_machine_name(header.machine);
#if defined(_WIN32)
  facts.unloadable = foreign_machine(facts.machine);
#else
  facts.unloadable = "it was built for Windows";
#endif

  const std::uint64_t sections_at =
      signature_at + 4 + sizeof(CoffHeader) + header.optional_header_size;
  for (std::uint64_t i = 0; i < header.section_count; ++i) {
    const auto section =
        file.read<SectionHeader>(sections_at + i * sizeof(SectionHeader), "a section header");
    if (std::string_view(section.name, sizeof(section.name)) != manifest_section) continue;
    // The size in memory is the exact one; the size in the file is rounded up, or less.
    const std::uint32_t size = std::min(section.memory_size, section.file_size);
    facts.manifest =
        find_manifest_note(file.part(section.file_offset, size, "the section .grapnel"));
  }
  return facts;
}

}  // namespace grapnel::host
