// ELF, the parts that the dynamic loader reads: program headers, notes, the dynamic section and its
// symbol table. Section headers are not used; strip may have removed them.
#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "bytes_reader.h"
#include "library_formats.h"

namespace grapnel::host {
namespace {

// The structures and numbers are those of the System V ABI and its GNU extensions, 64-bit.
struct FileHeader {
  std::uint8_t ident[16];
  std::uint16_t type, machine;
  std::uint32_t version;
  std::uint64_t entry, program_headers, section_headers;
  std::uint32_t flags;
  std::uint16_t size, program_header_size, program_header_count;
  std::uint16_t section_header_size, section_header_count, section_names;
};
static_assert(sizeof(FileHeader) == 64);

struct ProgramHeader {
  std::uint32_t type, flags;
  std::uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

struct DynamicEntry {
  std::uint64_t tag, value;
};
static_assert(sizeof(DynamicEntry) == 16);

struct Symbol {
  std::uint32_t name;
  std::uint8_t info, other;
  std::uint16_t section;
  std::uint64_t value, size;
};
static_assert(sizeof(Symbol) == 24);

enum : std::uint32_t { segment_load = 1, segment_dynamic = 2, segment_note = 4 };
constexpr std::uint32_t segment_gnu_stack = 0x6474e551;
constexpr std::uint32_t flag_executable = 1;

enum : std::uint64_t {
  tag_null = 0,
  tag_needed = 1,
  tag_hash = 4,
  tag_strings = 5,
  tag_symbols = 6,
  tag_strings_size = 10,
  tag_soname = 14,
  tag_rpath = 15,
  tag_text_relocations = 22,
  tag_runpath = 29,
  tag_flags = 30,
  tag_gnu_hash = 0x6ffffef5,
  tag_configuration = 0x6ffffefa,
  tag_dependencies_audit = 0x6ffffefb,
  tag_audit = 0x6ffffefc,
  tag_auxiliary = 0x7ffffffd,
  tag_filter = 0x7fffffff,
  tag_flags_1 = 0x6ffffffb,
};
constexpr std::uint64_t max_table_bytes = std::uint64_t{64} << 20;

constexpr std::uint64_t flags_text_relocations = 4;
constexpr std::uint64_t flags_1_program = 0x08000000;  // a position-independent program

std::string elf_machine_name(std::uint16_t machine) {
  switch (machine) {
    case 3:
      return "x86 (32-bit)";
    case 21:
      return "ppc64";
    case 22:
      return "s390x";
    case 40:
      return "arm (32-bit)";
    case 62:
      return "x86_64";
    case 183:
      return "aarch64";
    case 243:
      return "riscv64";
    case 258:
      return "loongarch64";
    default:
      return fmt::format("machine {}", machine);
  }
}

class ElfReader {
 public:
  explicit ElfReader(std::span<const std::byte> bytes) : file_(bytes) {}

  LibraryFacts read() {
    read_header();
    if (!facts_.unloadable.empty()) return std::move(facts_);
    read_program_headers();
    check_segments();
    read_notes();
    read_dynamic();
    read_symbols();
    return std::move(facts_);
  }

 private:
  void read_header() {
    // The first bytes mean the same in every class and byte order; the rest does not.
    const auto ident = file_.part(0, 20, "the ELF header");
    const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(ident[at]); };
    const bool big_endian = byte(5) == 2;
    const unsigned machine = big_endian ? byte(18) << 8 | byte(19) : byte(19) << 8 | byte(18);
    facts_.machine = elf_machine_name(static_cast<std::uint16_t>(machine));
    facts_.unloadable = foreign_machine(facts_.machine);
    if (byte(4) != 2 || big_endian) {
      if (facts_.unloadable.empty()) {
        facts_.unloadable = "only 64-bit little-endian libraries are accepted";
      }
      return;
    }
#if !defined(__linux__)
    facts_.unloadable = "it was built for Linux";
#endif
    if (!facts_.unloadable.empty()) return;
    header_ = file_.read<FileHeader>(0, "the ELF header");
    if (header_.type != 3) {
      throw DataError(fmt::format("it is {}, not a shared library",
                                  header_.type == 1   ? "an object file"
                                  : header_.type == 2 ? "a program"
                                  : header_.type == 4 ? "a core dump"
                                                      : "an ELF file of an unknown type"));
    }
  }

  void read_program_headers() {
    if (header_.program_header_size != sizeof(ProgramHeader)) {
      throw DataError(fmt::format("its program headers have {} bytes each, {} are accepted",
                                  header_.program_header_size, sizeof(ProgramHeader)));
    }
    for (std::uint64_t i = 0; i < header_.program_header_count; ++i) {
      // No overflow: part() refuses an offset past the end of the file.
      const auto table =
          file_.part(header_.program_headers,
                     std::uint64_t{header_.program_header_count} * sizeof(ProgramHeader),
                     "the table of program headers");
      segments_.push_back(
          BytesReader(table).read<ProgramHeader>(i * sizeof(ProgramHeader), "a program header"));
    }
    for (const ProgramHeader& segment : segments_) {
      if (segment.type == segment_gnu_stack && (segment.flags & flag_executable) != 0) {
        facts_.executable_stack = true;
      }
    }
  }

  // The loader maps segments in order, whole pages, a later one over an earlier one.
  void check_segments() const {
    constexpr std::uint64_t page = 4096;
    std::uint64_t end = 0;
    for (const ProgramHeader& segment : segments_) {
      if (segment.type != segment_load) continue;
      if (segment.address / page * page < end || segment.file_size > ~segment.address - page) {
        throw DataError("its loaded segments overlap, or are not in the order of their addresses");
      }
      end = (segment.address + segment.file_size + page - 1) / page * page;
    }
  }

  void read_notes() {
    for (const ProgramHeader& segment : segments_) {
      if (segment.type != segment_note) continue;
      const auto notes = file_.part(segment.offset, segment.file_size, "a segment of notes");
      auto manifest = find_manifest_note(notes);
      if (!manifest) continue;
      if (facts_.manifest && *facts_.manifest != *manifest) {
        throw DataError("it contains two manifests; rebuild it with one");
      }
      facts_.manifest = std::move(manifest);
    }
  }

  // The file's bytes from where `address` is mapped to the end of that segment.
  BytesReader at_address(std::uint64_t address, std::string_view what) const {
    for (const ProgramHeader& segment : segments_) {
      if (segment.type != segment_load || address < segment.address ||
          address - segment.address >= segment.file_size) {
        continue;
      }
      const auto bytes = file_.part(segment.offset, segment.file_size, "a loaded segment");
      return BytesReader(bytes.subspan(static_cast<std::size_t>(address - segment.address)));
    }
    throw DataError(fmt::format("{} at address {:#x} is in no segment of the file", what, address));
  }

  void read_dynamic() {
    const auto segment = std::ranges::find(segments_, +segment_dynamic, &ProgramHeader::type);
    if (segment == segments_.end()) {
      throw DataError("it has no dynamic section, so it is not a shared library");
    }
    if (std::ranges::count(segments_, +segment_dynamic, &ProgramHeader::type) > 1) {
      throw DataError("it has two dynamic sections");
    }
    // Where the loader reads it: a damaged or forged file may say another place in the file.
    const BytesReader table(at_address(segment->address, "the dynamic section")
                                .part(0, segment->file_size, "the dynamic section"));
    std::set<std::uint64_t> seen;
    for (std::uint64_t at = 0; at + sizeof(DynamicEntry) <= table.size();
         at += sizeof(DynamicEntry)) {
      const auto entry = table.read<DynamicEntry>(at, "the dynamic section");
      if (entry.tag == tag_null) break;
      // Of two, the loader takes the last.
      if (!may_repeat(entry.tag) && !seen.insert(entry.tag).second) {
        throw DataError(fmt::format("its dynamic section has the tag {:#x} twice", entry.tag));
      }
      dynamic_.push_back(entry);
    }
    if (find(tag_flags_1).value_or(0) & flags_1_program) {
      throw DataError("it is a program, not a shared library");
    }
    facts_.text_relocations =
        find(tag_text_relocations) || (find(tag_flags).value_or(0) & flags_text_relocations) != 0;
    if (const auto strings = find(tag_strings)) {
      const BytesReader all = at_address(*strings, "the table of names");
      strings_ = as_text(all.part(0, find(tag_strings_size).value_or(0), "the table of names"));
    }
    for (const DynamicEntry& entry : dynamic_) {
      if (entry.tag == tag_needed) facts_.needed.emplace_back(name(entry.value));
      if (entry.tag == tag_soname) facts_.soname = name(entry.value);
      if (entry.tag == tag_rpath || entry.tag == tag_runpath) {
        facts_.search_paths.emplace_back(name(entry.value));
      }
      if (const std::string_view kind = loading_instruction(entry.tag); !kind.empty()) {
        facts_.loading_instructions.push_back(std::string(kind) + " " +
                                              std::string(name(entry.value)));
      }
    }
  }

  static bool may_repeat(std::uint64_t tag) {
    return tag == tag_needed || tag == tag_auxiliary || tag == tag_filter;
  }

  // Names of tags by which the loader would load something else, or look elsewhere.
  static std::string_view loading_instruction(std::uint64_t tag) {
    switch (tag) {
      case tag_configuration:
        return "DT_CONFIG";
      case tag_dependencies_audit:
        return "DT_DEPAUDIT";
      case tag_audit:
        return "DT_AUDIT";
      case tag_auxiliary:
        return "DT_AUXILIARY";
      case tag_filter:
        return "DT_FILTER";
      default:
        return {};
    }
  }

  std::optional<std::uint64_t> find(std::uint64_t tag) const {
    const auto it = std::ranges::find(dynamic_, tag, &DynamicEntry::tag);
    return it == dynamic_.end() ? std::nullopt : std::optional(it->value);
  }

  // Many entries may share one long name, so that a small file could ask for any amount of memory.
  std::string_view name(std::uint64_t offset) {
    if (offset >= strings_.size()) {
      throw DataError(
          fmt::format("a name at {} is outside its table of {} bytes", offset, strings_.size()));
    }
    const std::string_view rest = strings_.substr(static_cast<std::size_t>(offset));
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) throw DataError("its last name does not end");
    name_bytes_ += end;
    if (name_bytes_ > max_table_bytes) {
      throw DataError(fmt::format("its tables hold more than {} bytes of names", max_table_bytes));
    }
    return rest.substr(0, end);
  }

  // The size of the dynamic symbol table is known only from its hash table.
  std::uint64_t symbol_count() const {
    if (const auto address = find(tag_hash)) {
      return at_address(*address, "the hash table").read<std::uint32_t>(4, "the hash table");
    }
    const auto address = find(tag_gnu_hash);
    if (!address) return 0;
    const BytesReader table = at_address(*address, "the hash table");
    const auto word = [&](std::uint64_t at) {
      return table.read<std::uint32_t>(at, "the hash table");
    };
    const std::uint64_t buckets = word(0);
    const std::uint64_t first_hashed = word(4);
    const std::uint64_t buckets_at = 16 + std::uint64_t{word(8)} * 8;
    const std::uint64_t chains_at = buckets_at + buckets * 4;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < buckets; ++i) {
      last = std::max<std::uint64_t>(last, word(buckets_at + i * 4));
    }
    if (last < first_hashed) return first_hashed;  // nothing exported
    while ((word(chains_at + (last - first_hashed) * 4) & 1) == 0) ++last;
    return last + 1;
  }

  void read_symbols() {
    const auto address = find(tag_symbols);
    if (!address) return;
    const std::uint64_t count = symbol_count();
    const BytesReader table(at_address(*address, "the symbol table")
                                .part(0, count * sizeof(Symbol), "the symbol table"));
    for (std::uint64_t i = 1; i < count; ++i) {  // the first one is always empty
      classify(table.read<Symbol>(i * sizeof(Symbol), "the symbol table"));
    }
    std::ranges::sort(facts_.abi_majors);
  }

  void classify(const Symbol& symbol) {
    constexpr std::uint16_t undefined_section = 0, absolute_section = 0xfff1;
    const unsigned binding = symbol.info >> 4, visibility = symbol.other & 3u;
    const bool is_global = binding == 1 || binding == 2 || binding == 10;
    // Absolute ones name the nodes of a version script.
    if (!is_global || symbol.section == absolute_section) return;
    const std::string_view text = name(symbol.name);
    if (symbol.section == undefined_section) {
      facts_.undefined.emplace_back(text);
      return;
    }
    if (visibility != 0 && visibility != 3) return;
    facts_.exported.emplace_back(text);
    if (binding == 10) facts_.unique.emplace_back(text);

    constexpr std::string_view entry = "grapnel_plugin_v";
    if (!text.starts_with(entry)) return;
    std::int64_t major = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + entry.size(), end, major);
    if (error == std::errc{} && stop == end && major >= 0) facts_.abi_majors.push_back(major);
  }

  BytesReader file_;
  FileHeader header_{};
  std::vector<ProgramHeader> segments_;
  std::vector<DynamicEntry> dynamic_;
  std::string_view strings_;
  std::uint64_t name_bytes_ = 0;  // handed out so far
  LibraryFacts facts_;
};

}  // namespace

LibraryFacts read_elf(std::span<const std::byte> bytes) {
  return ElfReader(bytes).read();
}

}  // namespace grapnel::host
