#include <grapnel/host/discovery.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/trust.h>

#include "examine.h"
#include "scan_cache.h"

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

class Scan {
 public:
  explicit Scan(ScanCache* cache) : cache_(cache) {}

  void directory(const SearchDirectory& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(directory.path, error), end; !error && it != end;
         it.increment(error)) {
      std::string name = it->path().filename().string();
      if (is_manifest_name(name) || is_library_name(name)) names.push_back(std::move(name));
    }
    if (error) {
      add(directory, {.library = directory.path,
                      .refused = fmt::format("the directory cannot be read: {}", error.message())});
    }
    std::ranges::sort(names);
    std::vector<std::optional<Candidate>> found(names.size());
    // Manifests first: a library named by one of them is not listed separately.
    for (const bool manifests : {true, false}) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (is_manifest_name(names[i]) == manifests)
          found[i] = file_or_refusal(directory.path / names[i]);
      }
    }
    for (std::optional<Candidate>& candidate : found) {
      if (candidate) add(directory, std::move(*candidate));
    }
  }

  // nullopt when it has disappeared or was already seen under another name. IoError when it can't
  // be examined.
  std::optional<Candidate> file(const fs::path& path) {
    const std::optional<FileIdentity> identity = file_identity(path, Links::refuse);
    if (!identity) return std::nullopt;
    if (identity->kind != FileKind::symbolic_link) return resolved_file(path, *identity);
    std::error_code broken;
    const fs::path target = fs::canonical(path, broken);
    const auto target_identity = broken ? std::nullopt : file_identity(target, Links::refuse);
    if (!target_identity) {
      return Candidate{.library = path, .refused = "it is a broken symbolic link"};
    }
    std::optional<Candidate> candidate = resolved_file(target, *target_identity);
    // Anyone who can replace the link chooses the file.
    std::string refusal = trust_.directory_refusal(path.parent_path());
    if (candidate && candidate->refused.empty()) candidate->refused = std::move(refusal);
    return candidate;
  }

  std::vector<Candidate> take() { return std::move(found_); }

 private:
  // A file that can't be examined must not hide the others.
  std::optional<Candidate> file_or_refusal(const fs::path& path) {
    try {
      return file(path);
    } catch (const Error& error) {
      return Candidate{.library = path, .refused = error.what()};
    }
  }

  void add(const SearchDirectory& directory, Candidate candidate) {
    candidate.origin = directory.origin;
    found_.push_back(std::move(candidate));
  }

  std::optional<Candidate> resolved_file(const fs::path& path, const FileIdentity& identity) {
    if (!seen_.insert(path.string()).second) return std::nullopt;
    if (identity.kind != FileKind::regular) {
      return Candidate{
          .library = path, .identity = identity, .refused = trust_.refusal(path, identity)};
    }
    Candidate candidate = examine_cached(path, identity);
    if (!candidate.manifest_file.empty()) seen_.insert(candidate.library.string());
    if (std::string refusal = trust_refusal(candidate); !refusal.empty()) {
      candidate.refused = std::move(refusal);
    }
    return candidate;
  }

  Candidate examine_cached(const fs::path& path, const FileIdentity& identity) {
    const std::string& key = path.string();
    if (cache_ != nullptr) {
      if (auto known = cache_->find(key, identity)) return std::move(*known);
    }
    Examined examined =
        is_manifest_name(key) ? examine_manifest(path, identity) : examine_library(path, identity);
    if (cache_ != nullptr) cache_->store(key, examined);
    return std::move(examined.candidate);
  }

  // Checks the library, and the manifest file that names it.
  std::string trust_refusal(const Candidate& candidate) {
    if (!candidate.manifest_file.empty()) {
      std::string refusal = trust_.refusal(candidate.manifest_file, candidate.manifest_identity);
      if (!refusal.empty()) return refusal;
    }
    if (candidate.identity == FileIdentity{}) return {};  // there is no library
    return trust_.refusal(candidate.library, candidate.identity);
  }

  ScanCache* cache_;
  TrustChecker trust_;
  std::unordered_set<std::string> seen_;
  std::vector<Candidate> found_;
};

// The first usable candidate of each id and former id.
void index(Discovery& discovery) {
  for (std::size_t i = 0; i < discovery.candidates.size(); ++i) {
    const Candidate& candidate = discovery.candidates[i];
    if (!candidate.usable()) continue;
    discovery.by_id.emplace(candidate.summary.id, i);
    for (const std::string& id : candidate.summary.aliases) discovery.by_former_id.emplace(id, i);
  }
}

// The first usable plugin of an id is the one that counts.
void mark_shadowed(std::vector<Candidate>& candidates) {
  std::map<std::string_view, const Candidate*> first;
  for (Candidate& candidate : candidates) {
    if (candidate.summary.id.empty() || !candidate.refused.empty()) continue;
    const auto [it, is_first] = first.emplace(candidate.summary.id, &candidate);
    if (!is_first) candidate.shadowed_by = it->second->library;
  }
}

}  // namespace

std::string Candidate::label() const {
  return summary.id.empty() ? library.stem().string() : summary.id;
}

std::string Candidate::describe() const {
  return fmt::format("{}{}{} ({})", quote(label()), summary.version.empty() ? "" : " ",
                     printable(summary.version), printable(library.string()));
}

const Candidate* Discovery::find(const std::string& id) const& noexcept {
  for (const auto* places : {&by_id, &by_former_id}) {
    if (const auto place = places->find(id); place != places->end()) {
      return &candidates[place->second];
    }
  }
  return nullptr;
}

std::vector<const Candidate*> Discovery::drop_ins() const& {
  std::vector<const Candidate*> all;
  std::unordered_set<std::string_view> ids;
  for (const Candidate& candidate : candidates) {
    if (candidate.origin == SearchOrigin::project || !candidate.refused.empty()) continue;
    if (ids.insert(candidate.summary.id).second) all.push_back(&candidate);
  }
  return all;
}

Discovery discover(const DiscoveryOptions& options) {
  Discovery result;
  result.directories = plugin_search_path(options.plugin_path, options.directories);
  std::optional<ScanCache> cache;
  if (options.use_cache) cache.emplace(options.directories.cache);
  Scan scan(cache ? &*cache : nullptr);
  for (const SearchDirectory& directory : result.directories) {
    if (directory.exists) scan.directory(directory);
  }
  if (cache) cache->save();
  result.candidates = scan.take();
  mark_shadowed(result.candidates);
  index(result);
  return result;
}

Candidate examine(const fs::path& file) {
  const fs::path resolved = real_path(file);
  const bool is_manifest = is_manifest_name(resolved.filename().string());
  const fs::path beside = is_manifest ? fs::path() : manifest_beside(resolved);
  std::optional<Candidate> found;
  if (!beside.empty()) found = Scan(nullptr).file(beside);
  // A manifest next to it may belong to another library.
  if (!found || found->library != resolved) found = Scan(nullptr).file(resolved);
  if (!found) throw IoError("find", file, ENOENT);
  found->origin = SearchOrigin::file;
  return std::move(*found);
}

std::shared_ptr<const Manifest> read_manifest(const Candidate& candidate) {
  if (candidate.manifest != nullptr) return candidate.manifest;
  const auto parsed = [](std::string_view text, const std::string& source) {
    return std::make_shared<const Manifest>(parse_manifest(text, source));
  };
  if (!candidate.manifest_file.empty()) {
    return parsed(grapnel::read_file(candidate.manifest_file, max_manifest_bytes),
                  candidate.manifest_file.filename().string());
  }
  const LibraryFacts facts = read_library_file(candidate.library);
  if (!facts.manifest) throw DataError("it has no manifest", candidate.library);
  return parsed(*facts.manifest, "plugin.json in " + candidate.library.filename().string());
}

}  // namespace grapnel::host
