// Reads facts from a shared library's bytes without loading it: format and machine, the embedded
// plugin.json, the entry symbol's ABI major, which libraries it needs, what it exports.
//
// Nothing is mapped or executed; every offset that the file claims is checked against its size, so
// a forged or truncated file is a DataError, never a crash. ELF (64-bit, little-endian) is read
// whole; of a Windows PE file, machine and manifest; of others, what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::host {

inline constexpr std::uint64_t max_library_bytes = std::uint64_t{512} << 20;

enum class LibraryFormat : std::uint8_t { elf, pe, mach_o };

struct LibraryFacts {
  LibraryFormat format = LibraryFormat::elf;
  std::string machine;  // "x86_64", "aarch64", "machine 243" when it has no name here
  // Why this system cannot load it: "it was built for aarch64, this system is x86_64". Empty when
  // it can; then everything below has been read.
  std::string unloadable;
  std::optional<std::string> manifest;    // the embedded plugin.json
  std::vector<std::int64_t> abi_majors;   // N of each exported grapnel_plugin_v<N>, ascending
  std::vector<std::string> needed;        // DT_NEEDED: libraries it is linked with
  std::string soname;                     // DT_SONAME; empty when there is none
  std::vector<std::string> search_paths;  // DT_RPATH and DT_RUNPATH
  // "DT_AUDIT libspy.so": other tags that make the loader load something or look elsewhere.
  std::vector<std::string> loading_instructions;
  std::vector<std::string> exported;   // defined dynamic symbols, the entry symbol included
  std::vector<std::string> unique;     // those of binding STB_GNU_UNIQUE
  std::vector<std::string> undefined;  // dynamic symbols it needs from others
  bool text_relocations = false;       // its code must be writable while it is loaded
  bool executable_stack = false;

  [[nodiscard]] bool exports_entry(std::int64_t abi_major) const noexcept;
};

// DataError, without a path, when this is not a shared library or its tables are damaged.
[[nodiscard]] LibraryFacts read_library(std::span<const std::byte> bytes);
// The same from a file: IoError when it can't be read, DataError naming the path otherwise.
[[nodiscard]] LibraryFacts read_library_file(const std::filesystem::path& path);

// Those of `names` that belong to LibTorch (libtorch_cpu.so, libc10.so, ...).
[[nodiscard]] std::vector<std::string> libtorch_libraries(const std::vector<std::string>& names);

// Those it is linked with besides the C library, the compilers' runtimes and the loader: the store does
// not pin them.
[[nodiscard]] std::vector<std::string> linked_libraries(const LibraryFacts& facts);

// Whether it needs a library of LibTorch, or a symbol of its namespaces.
[[nodiscard]] bool needs_libtorch(const LibraryFacts& facts);
// Whether it can call LibTorch by itself: it needs LibTorch, or another library than the system's and the
// compiler's (which may need it in turn), or looks functions up by name.
[[nodiscard]] bool may_reach_libtorch(const LibraryFacts& facts);

// True for names that end as shared libraries do on Linux, Windows or macOS.
[[nodiscard]] bool is_library_name(std::string_view file_name) noexcept;

}  // namespace grapnel::host
