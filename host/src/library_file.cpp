#include <grapnel/host/library_file.h>

#include <algorithm>
#include <array>
#include <iterator>

#include <grapnel/base/files.h>
#include <grapnel/base/text.h>
#include <grapnel/host/manifest.h>

#include "bytes_reader.h"
#include "library_formats.h"

namespace grapnel::host {
namespace {

bool is_mach_o(std::string_view bytes) {
  return bytes.starts_with("\xcf\xfa\xed\xfe") || bytes.starts_with("\xca\xfe\xba\xbe");
}

LibraryFacts describe_mach_o() {
  LibraryFacts facts;
  facts.format = LibraryFormat::mach_o;
#if !defined(__APPLE__)
  facts.unloadable = "it was built for macOS";
#endif
  return facts;
}

}  // namespace

bool LibraryFacts::exports_entry(std::int64_t abi_major) const noexcept {
  return std::ranges::binary_search(abi_majors, abi_major);
}

std::string foreign_machine(const std::string& machine) {
  const std::string_view ours = this_platform().substr(this_platform().find('-') + 1);
  if (machine == ours) return {};
  return fmt::format("it was built for {}, this system is {}", machine, ours);
}

LibraryFacts read_library(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("\x7f"
                       "ELF"))
    return read_elf(bytes);
  if (text.starts_with("MZ")) return read_pe(bytes);
  if (is_mach_o(text)) return describe_mach_o();
  throw DataError(bytes.empty() ? std::string("it is empty, not a shared library")
                                : fmt::format("it is not a shared library; it starts with {}",
                                              quote(text.substr(0, 16))));
}

LibraryFacts read_library_file(const std::filesystem::path& path) {
  const std::string content = read_file(path, max_library_bytes);
  try {
    return read_library(std::as_bytes(std::span(content)));
  } catch (const DataError& error) {
    throw DataError(error.detail, path);
  }
}

std::vector<std::string> libtorch_libraries(const std::vector<std::string>& names) {
  std::vector<std::string> found;
  std::ranges::copy_if(names, std::back_inserter(found), [](std::string_view name) {
    return name.starts_with("libtorch") || name.starts_with("libc10") ||
           name.starts_with("torch") || name.starts_with("c10.") || name.starts_with("c10_");
  });
  return found;
}

std::vector<std::string> linked_libraries(const LibraryFacts& facts) {
  static constexpr std::array<std::string_view, 11> runtimes = {
      "libc.",      "libm.",   "libdl.",     "libpthread.", "librt.", "libgcc_s.",
      "libstdc++.", "libc++.", "libc++abi.", "ld-",         "ld64."};
  std::vector<std::string> found;
  std::ranges::copy_if(facts.needed, std::back_inserter(found), [](std::string_view name) {
    return std::ranges::none_of(
        runtimes, [&](std::string_view runtime) { return name.starts_with(runtime); });
  });
  return found;
}

bool is_library_name(std::string_view file_name) noexcept {
  return file_name.ends_with(".so") || file_name.ends_with(".dll") || file_name.ends_with(".dylib");
}

}  // namespace grapnel::host
