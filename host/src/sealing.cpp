#include <grapnel/host/sealing.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <grapnel/abi.h>
#include <grapnel/base/text.h>

namespace grapnel::host {
namespace {

constexpr std::size_t names_shown = 5;

// "'a', 'b' and 17 more"
std::string some_of(const std::vector<std::string>& names) {
  if (names.size() <= names_shown) return join_quoted(names, "and");
  const std::vector<std::string> first(names.begin(), names.begin() + names_shown);
  std::vector<std::string> quoted;
  for (const std::string& name : first) quoted.push_back(quote(name));
  return fmt::format("{} and {} more", join(quoted), names.size() - names_shown);
}

std::vector<std::string> select(const std::vector<std::string>& names, auto wanted) {
  std::vector<std::string> found;
  std::ranges::copy_if(names, std::back_inserter(found), wanted);
  return found;
}

bool is_entry(std::string_view symbol) {
  return symbol.starts_with("grapnel_plugin_v");
}

bool is_cxx_runtime(std::string_view library) {
  // Not the unwinder (libgcc_s): its interface is C and stable, and Rust always links it.
  static constexpr std::array prefixes = {"libstdc++", "libc++"};
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return library.starts_with(p); });
}

// Mangled names of LibTorch's namespaces.
bool is_libtorch_symbol(std::string_view symbol) {
  static constexpr std::array parts = {"N2at",  "N3c10",  "N5torch", "2at6Tensor",
                                       "NK2at", "NK3c10", "NK5torch"};
  if (symbol.starts_with("aoti_torch_")) return true;  // LibTorch's functions for C
  return symbol.starts_with("_Z") && std::ranges::any_of(parts, [&](std::string_view part) {
           return symbol.find(part) != std::string_view::npos;
         });
}

bool wants_libtorch_symbol(const LibraryFacts& facts) {
  return std::ranges::any_of(facts.undefined, is_libtorch_symbol);
}

// Needed by a path or a name that the loader makes one, or by other tags than DT_NEEDED.
std::vector<std::string> libraries_by_path(const LibraryFacts& facts) {
  std::vector<std::string> found = select(facts.needed, [](const std::string& library) {
    return library.find_first_of("/$") != std::string::npos;
  });
  found.insert(found.end(), facts.loading_instructions.begin(), facts.loading_instructions.end());
  return found;
}

SealingCheck check(std::string name, const std::vector<std::string>& offending,
                   std::string_view what, std::string_view remedy) {
  if (offending.empty()) return {.name = std::move(name), .ok = true, .found = {}};
  return {.name = std::move(name),
          .ok = false,
          .found = fmt::format("{} {}; {}", what, some_of(offending), remedy)};
}

}  // namespace

bool needs_libtorch(const LibraryFacts& facts) {
  return !libtorch_libraries(facts.needed).empty() || wants_libtorch_symbol(facts);
}

bool may_reach_libtorch(const LibraryFacts& facts) {
  const auto looks_up = [](std::string_view symbol) {
    return symbol == "dlsym" || symbol == "dlvsym" || symbol == "dlopen" || symbol == "dlmopen";
  };
  return needs_libtorch(facts) || !linked_libraries(facts).empty() ||
         std::ranges::any_of(facts.undefined, looks_up);
}

std::vector<SealingCheck> check_sealing(const LibraryFacts& facts) {
  constexpr std::string_view helper = "grapnel_add_plugin() in CMake does this";
  const auto local_path = [](const std::string& path) { return !path.empty(); };
  std::vector<SealingCheck> checks = {
      check("exports only its entry",
            select(facts.exported,
                   [&](const std::string& symbol) {
                     // Unique ones are told below.
                     return !is_entry(symbol) &&
                            std::ranges::find(facts.unique, symbol) == facts.unique.end();
                   }),
            "it exports",
            fmt::format("hide all but {} with a version script; {}", GRAPNEL_PLUGIN_SYMBOL_NAME,
                        helper)),
      check("has no unique symbols", facts.unique, "shared by all libraries of the process:",
            fmt::format("compile with -fno-gnu-unique; {}", helper)),
      check("brings its own C++ runtime", select(facts.needed, is_cxx_runtime), "it is linked with",
            fmt::format("link it statically: -static-libstdc++ -static-libgcc; {}", helper)),
      check("needs no LibTorch", libtorch_libraries(facts.needed), "it is linked with",
            "a plugin calls operators through the extension grapnel.aten, so that it works with "
            "every LibTorch"),
      check("needs no LibTorch symbol", select(facts.undefined, is_libtorch_symbol), "it wants",
            "a plugin calls operators through the extension grapnel.aten, so that it works with "
            "every LibTorch"),
      check("finds its libraries anywhere", select(facts.search_paths, local_path),
            "it looks for libraries in",
            "a plugin is loaded from a copy elsewhere, so link what it needs statically"),
      check("needs no library by a path", libraries_by_path(facts), "it makes the loader load",
            "no copy pins it, so it could change unseen; link what it needs statically"),
  };
  checks.push_back({.name = "has no text relocations",
                    .ok = !facts.text_relocations,
                    .found = facts.text_relocations
                                 ? "its code is modified while it is loaded; compile with -fPIC"
                                 : ""});
  checks.push_back({.name = "has no executable stack",
                    .ok = !facts.executable_stack,
                    .found = facts.executable_stack
                                 ? "it asks for an executable stack; link with -z noexecstack"
                                 : ""});
  return checks;
}

}  // namespace grapnel::host
