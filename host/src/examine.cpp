#include "examine.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view manifest_suffix = ".grapnel.json";
constexpr std::array<std::string_view, 3> library_suffixes = {".so", ".dll", ".dylib"};

std::string name_of(const fs::path& file) {
  return file.filename().string();
}

PluginSummary summarize(const Manifest& manifest) {
  PluginSummary summary{.id = manifest.id,
                        .name = manifest.name,
                        .version = manifest.version,
                        .license = manifest.license,
                        .summary = manifest.summary,
                        .abi = manifest.abi,
                        .aliases = manifest.aliases,
                        .callbacks = {}};
  for (const CallbackManifest& callback : manifest.callbacks) {
    summary.callbacks.push_back(callback.name);
  }
  return summary;
}

void take(Candidate& candidate, Manifest manifest) {
  candidate.summary = summarize(manifest);
  candidate.manifest = std::make_shared<const Manifest>(std::move(manifest));
}

// NAME.so for NAME.grapnel.json.
fs::path library_beside(const fs::path& manifest_file, std::string_view suffix) {
  const std::string name = name_of(manifest_file);
  return manifest_file.parent_path() /
         (name.substr(0, name.size() - manifest_suffix.size()) + std::string(suffix));
}

// The library of a manifest, from its field or from the manifest's file name.
fs::path named_library(const fs::path& manifest_file, const Manifest& manifest) {
  if (!manifest.library.empty()) {
    if (is_safe_relative(manifest.library)) return manifest_file.parent_path() / manifest.library;
    throw DataError(
        fmt::format("its manifest {} names the library {}, which is outside the "
                    "manifest's directory; use a relative path without '..'",
                    quote(manifest_file.string()), quote(manifest.library)));
  }
  for (const std::string_view suffix : library_suffixes) {
    fs::path library = library_beside(manifest_file, suffix);
    if (file_identity(library)) return library;
  }
  return library_beside(manifest_file, shared_library_suffix());
}

// Replaces the library's path by the resolved one and checks that it is a file below the manifest's
// directory. A symbolic link's target can change unnoticed, so links aren't cached.
FileIdentity resolve_library(const fs::path& manifest_file, fs::path& library, bool& is_cacheable) {
  is_cacheable = false;
  if (!file_identity(library)) {
    throw DataError(fmt::format("its library {} does not exist; it is named by the manifest {}",
                                quote(library.string()), quote(manifest_file.string())));
  }
  const fs::path named = std::exchange(library, real_path(library));
  if (!is_below(library, manifest_file.parent_path())) {
    throw DataError(
        fmt::format("its manifest {} names a library outside its own directory, {}; "
                    "install both in one directory",
                    quote(manifest_file.string()), quote(library.string())));
  }
  const auto identity = file_identity(library, Links::refuse);
  if (!identity || identity->kind != FileKind::regular) {
    throw DataError(fmt::format("{} is not a regular file; a plugin is a shared library",
                                quote(library.string())));
  }
  is_cacheable = library == named;
  return *identity;
}

// True when both manifests are the same except for the library's path.
bool same_manifest(const std::string& beside, const std::string& embedded) {
  if (beside == embedded) return true;
  const JsonLimits limits{.max_bytes = max_manifest_bytes, .max_depth = max_manifest_depth};
  ConfigValue a = parse_json(beside, "", limits);
  ConfigValue b = parse_json(embedded, "", limits);
  a.erase("library");
  b.erase("library");
  return a == b;
}

// The store pins the plugin's own file: what it would load by a path is not pinned, and can change
// unseen, or be the working directory's.
void check_loads_nothing_by_path(const LibraryFacts& facts) {
  constexpr std::string_view remedy =
      "what the store has not copied could change unseen; link it into the plugin (statically), or "
      "install it where the system finds libraries";
  for (const std::string& library : facts.needed) {
    // $ORIGIN, $LIB and $PLATFORM are made a path before the loader looks for a '/'.
    if (library.find_first_of("/$") == std::string::npos) continue;
    throw DataError(
        fmt::format("it needs the library {} by a path (DT_NEEDED); {}", quote(library), remedy));
  }
  for (const std::string& path : facts.search_paths) {
    if (path.empty()) continue;
    throw DataError(fmt::format("it searches libraries in {} (DT_RPATH or DT_RUNPATH); {}",
                                quote(path), remedy));
  }
  for (const std::string& instruction : facts.loading_instructions) {
    throw DataError(fmt::format("it makes the loader load something else ({}); {}",
                                printable(instruction), remedy));
  }
}

// DataError when this host cannot run what the library's bytes and its manifest describe.
void check_runs_here(const Manifest& manifest, const LibraryFacts& facts) {
  if (!facts.unloadable.empty()) throw DataError(facts.unloadable);
  if (std::string reason = incompatibility(manifest); !reason.empty()) throw DataError(reason);
  check_loads_nothing_by_path(facts);
  if (facts.format != LibraryFormat::elf || facts.exports_entry(host_abi.major)) return;
  if (facts.abi_majors.empty()) {
    throw DataError("it does not export the symbol " GRAPNEL_PLUGIN_SYMBOL_NAME
                    ", the entry point of a plugin; in C++, add "
                    "GRAPNEL_PLUGIN(...) and build it with "
                    "grapnel_add_plugin()");
  }
  const std::int64_t found = facts.abi_majors.back();
  throw DataError(fmt::format(
      "it was built for ABI major {} (it exports grapnel_plugin_v{}), this "
      "host offers ABI {}; {}",
      found, found, offered_abi(),
      found > host_abi.major ? "update grapnel, or install an older release of the plugin"
                             : "install a newer release of the plugin"));
}

// Why a check failed, as the end of a sentence; empty when it passed.
template <class Check>
std::string reason_against(Check check) {
  try {
    check();
    return {};
  } catch (const DataError& error) {
    return error.detail;
  } catch (const ConfigError& error) {
    return fmt::format("its manifest cannot be used: {}", error.what());
  } catch (const Error& error) {
    return error.what();
  }
}

std::string no_manifest(const LibraryFacts& facts) {
  if (facts.format == LibraryFormat::elf && facts.abi_majors.empty()) {
    return fmt::format("it is not a Grapnel plugin: it contains no manifest and does not export {}",
                       GRAPNEL_PLUGIN_SYMBOL_NAME);
  }
  return "it has no manifest: build it with grapnel_add_plugin(), which "
         "embeds plugin.json, or put NAME.grapnel.json next to it";
}

}  // namespace

bool is_manifest_name(std::string_view file_name) noexcept {
  return file_name.ends_with(manifest_suffix) && file_name.size() > manifest_suffix.size();
}

fs::path manifest_beside(const fs::path& library) {
  const fs::path manifest =
      library.parent_path() / (library.stem().string() + std::string(manifest_suffix));
  return file_identity(manifest) ? manifest : fs::path();
}

Examined examine_library(const fs::path& file, const FileIdentity& identity) {
  Examined result{.candidate = {.library = file, .identity = identity}};
  Candidate& candidate = result.candidate;
  candidate.refused = reason_against([&] {
    const LibraryFacts facts = read_library_file(file);
    if (!facts.manifest) {
      throw DataError(facts.unloadable.empty() ? no_manifest(facts) : facts.unloadable);
    }
    take(candidate, parse_manifest(*facts.manifest, "plugin.json in " + name_of(file)));
    check_runs_here(*candidate.manifest, facts);
  });
  return result;
}

Examined examine_manifest(const fs::path& file, const FileIdentity& identity) {
  Examined result{.candidate = {.library = library_beside(file, shared_library_suffix()),
                                .manifest_file = file,
                                .manifest_identity = identity}};
  Candidate& candidate = result.candidate;
  candidate.refused = reason_against([&] {
    take(candidate, parse_manifest(grapnel::read_file(file, max_manifest_bytes), name_of(file)));
    const Manifest& manifest = *candidate.manifest;
    candidate.library = named_library(file, manifest);
    candidate.identity = resolve_library(file, candidate.library, result.is_cacheable);
    const LibraryFacts facts = read_library_file(candidate.library);
    if (facts.manifest && !same_manifest(manifest.text, *facts.manifest)) {
      throw DataError(
          fmt::format("the manifest {} next to it differs from the one inside it; "
                      "reinstall the plugin, or delete the file next to it",
                      quote(file.string())));
    }
    check_runs_here(manifest, facts);
  });
  return result;
}

}  // namespace grapnel::host
