// One reader per format of shared libraries; library_file.cpp chooses by the first bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <grapnel/host/library_file.h>

namespace grapnel::host {

// All throw DataError without a path.
[[nodiscard]] LibraryFacts read_elf(std::span<const std::byte> bytes);
[[nodiscard]] LibraryFacts read_pe(std::span<const std::byte> bytes);

// The description of the note "Grapnel" among ELF notes; nullopt when there is none. DataError when
// a note's size is wrong.
[[nodiscard]] std::optional<std::string> find_manifest_note(std::span<const std::byte> notes);

// "it was built for aarch64, this system is x86_64"; empty when both agree.
[[nodiscard]] std::string foreign_machine(const std::string& machine);

}  // namespace grapnel::host
