#include "scan_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>

#include "private_directory.h"

namespace grapnel::host {
namespace {

// Raised whenever what is written below changes its meaning.
constexpr std::uint32_t cache_version = 2;
constexpr std::uint64_t max_cache_bytes = std::uint64_t{64} << 20;
constexpr std::size_t max_entries = 10'000;
// A file changed again within one tick of the kernel's clock keeps its times: the younger is not kept.
constexpr std::int64_t youngest_ns = 20'000'000;

// Fixed-size values as they are in memory, texts behind their length: the cache never leaves the
// machine.
class Encoder {
 public:
  template <class T>
  requires std::is_arithmetic_v<T>
  void value(T value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view text) {
    value(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
  }
  void path(const std::filesystem::path& path) { text(path.string()); }
  void texts(const std::vector<std::string>& texts) {
    value(static_cast<std::uint32_t>(texts.size()));
    for (const std::string& item : texts) text(item);
  }
  void identity(const FileIdentity& identity) {
    value(identity.device), value(identity.inode), value(identity.size);
    value(identity.modified_ns), value(identity.changed_ns);
    value(identity.owner), value(identity.mode);
    value(static_cast<std::uint8_t>(identity.kind));
    value(static_cast<std::uint8_t>(identity.writable_by_others | identity.sticky << 1 |
                                    identity.owned_by_us << 2));
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct Damaged {};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T value() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(value<std::uint32_t>()); }
  std::string string() { return std::string(text()); }
  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (auto left = value<std::uint32_t>(); left > 0; --left) texts.push_back(string());
    return texts;
  }
  FileIdentity identity() {
    FileIdentity identity;
    identity.device = value<std::uint64_t>();
    identity.inode = value<std::uint64_t>();
    identity.size = value<std::uint64_t>();
    identity.modified_ns = value<std::int64_t>();
    identity.changed_ns = value<std::int64_t>();
    identity.owner = value<std::uint32_t>();
    identity.mode = value<std::uint32_t>();
    identity.kind = static_cast<FileKind>(value<std::uint8_t>());
    const auto flags = value<std::uint8_t>();
    identity.writable_by_others = (flags & 1) != 0;
    identity.sticky = (flags & 2) != 0;
    identity.owned_by_us = (flags & 4) != 0;
    return identity;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw Damaged{};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

void encode(Encoder& out, const Examined& examined) {
  out.identity(examined.identity);
  out.path(examined.library);
  out.identity(examined.library_identity);
  out.path(examined.manifest);
  const PluginSummary& summary = examined.summary;
  for (const std::string* text :
       {&summary.id, &summary.name, &summary.version, &summary.license, &summary.summary}) {
    out.text(*text);
  }
  out.value(summary.abi.major), out.value(summary.abi.minor);
  out.texts(summary.aliases);
  out.texts(summary.callbacks);
  out.text(examined.refused);
}

Examined decode(Decoder& in) {
  Examined examined;
  examined.identity = in.identity();
  examined.library = in.text();
  examined.library_identity = in.identity();
  examined.manifest = in.text();
  PluginSummary& summary = examined.summary;
  for (std::string* text :
       {&summary.id, &summary.name, &summary.version, &summary.license, &summary.summary}) {
    *text = in.string();
  }
  summary.abi.major = in.value<std::int64_t>();
  summary.abi.minor = in.value<std::int64_t>();
  summary.aliases = in.texts();
  summary.callbacks = in.texts();
  examined.refused = in.string();
  return examined;
}

// What must be the same for the cached answers to hold: this file's layout and the host.
std::string header() {
  Encoder out;
  out.text("grapnel plugins");
  out.value(cache_version);
  out.text(GRAPNEL_VERSION);
  out.text(host_abi.to_string());
  out.text(this_platform());
  out.texts(offered_extensions());
  return out.bytes();
}

std::uint64_t checksum(std::string_view bytes) {
  return xxh3_64(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ScanCache::ScanCache(const std::filesystem::path& cache_directory)
    : file_(cache_directory / "plugins.cache") {
  try {
    if (!file_identity(file_)) return;
    content_ = grapnel::read_file(file_, max_cache_bytes);
    std::string_view bytes = content_;
    const std::string expected = header();
    if (!bytes.starts_with(expected) || bytes.size() < expected.size() + sizeof(std::uint64_t)) {
      return;
    }
    const std::string_view end = bytes.substr(bytes.size() - sizeof(std::uint64_t));
    bytes.remove_suffix(end.size());
    if (Decoder(end).value<std::uint64_t>() != checksum(bytes)) return;
    Decoder in(bytes.substr(expected.size()));
    entries_.reserve(std::min<std::size_t>(in.value<std::uint32_t>(), max_entries));
    while (!in.at_end()) {
      const std::string_view path = in.text();
      entries_.emplace(path, Entry{.record = in.text()});
    }
  } catch (const Damaged&) {
    entries_.clear();
  } catch (const Error& error) {
    log_debug("the cache of plugins is not used: {}", error.what());
    entries_.clear();
  }
}

std::optional<Examined> ScanCache::find(const std::string& path, const FileIdentity& identity) {
  const auto it = entries_.find(path);
  if (it == entries_.end()) return std::nullopt;
  try {
    Decoder in(it->second.record);
    if (in.identity() != identity) return std::nullopt;
    in = Decoder(it->second.record);
    Examined known = decode(in);
    if (!known.manifest.empty() &&
        file_identity(known.library, Links::refuse) != known.library_identity) {
      return std::nullopt;
    }
    it->second.seen = true;
    return known;
  } catch (const Damaged&) {
    return std::nullopt;
  } catch (const IoError&) {
    return std::nullopt;  // the library can't be looked at: examining the file anew says why
  }
}

void ScanCache::store(const std::string& path, const Examined& examined) {
  const std::int64_t newest =
      std::max(examined.identity.changed_ns, examined.library_identity.changed_ns);
  if (!examined.is_cacheable || newest > now_ns() - youngest_ns) {
    changed_ |= entries_.erase(path) > 0;
    return;
  }
  Encoder record;
  encode(record, examined);
  const std::string& kept = new_texts_.emplace_back(record.bytes());
  auto it = entries_.find(path);
  if (it == entries_.end()) it = entries_.emplace(new_texts_.emplace_back(path), Entry{}).first;
  it->second = {.record = kept, .seen = true};
  changed_ = true;
}

void ScanCache::save() noexcept {
  if (!changed_) return;
  try {
    const bool keep_unseen = entries_.size() <= max_entries;
    Encoder out;
    out.value(static_cast<std::uint32_t>(std::min(entries_.size(), max_entries)));
    for (const auto& [path, entry] : entries_) {
      if (!entry.seen && !keep_unseen) continue;
      out.text(path);
      out.text(entry.record);
    }
    const std::string bytes = header() + out.bytes();
    Encoder end;
    end.value(checksum(bytes));
    make_private_directory(file_.parent_path());
    write_file(file_, bytes + end.bytes(), Durability::fast);
  } catch (const std::exception& error) {
    log_debug("the cache of plugins was not written: {}", error.what());
  }
}

}  // namespace grapnel::host
