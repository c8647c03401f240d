#include "scan_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

#include "descriptions.h"
#include "private_directory.h"

namespace grapnel::host {
namespace {

constexpr std::uint64_t max_cache_bytes = std::uint64_t{64} << 20;
constexpr std::size_t max_entries = 10'000;
// A file that changes again within one tick of the kernel's clock keeps its times: younger files
// are not cached.
constexpr std::int64_t youngest_ns = 20'000'000;

// Writes values as in memory (the cache never leaves the machine), texts and lists after their
// length, and structs member by member, as described (descriptions.h).
class Encoder {
 public:
  template <class T>
  void add(const T& value) {
    if constexpr (Described<T>) {
      for_each_member(value, [&](std::string_view, const auto& member) { add(member); });
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
      add(value.string());
    } else {
      add(static_cast<std::uint32_t>(value.size()));
      if constexpr (std::is_convertible_v<T, std::string_view>) {
        bytes_.append(value);
      } else {
        for (const auto& item : value) add(item);
      }
    }
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
  T get() {
    T value{};
    get(value);
    return value;
  }
  std::string_view text() { return take(get<std::uint32_t>()); }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  template <class T>
  void get(T& value) {
    if constexpr (Described<T>) {
      for_each_member(value, [&](std::string_view, auto& member) { get(member); });
    } else if constexpr (std::is_same_v<T, bool>) {
      const auto byte = get<std::uint8_t>();
      if (byte > 1) throw Damaged{};
      value = byte == 1;
    } else if constexpr (DescribedEnum<T>) {
      value = static_cast<T>(get<std::underlying_type_t<T>>());
      if (enum_text(value).empty()) throw Damaged{};
    } else if constexpr (std::is_arithmetic_v<T>) {
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
    } else if constexpr (std::is_assignable_v<T&, std::string_view>) {
      value = text();
    } else {
      for (auto left = get<std::uint32_t>(); left > 0; --left) {
        value.push_back(get<typename T::value_type>());
      }
    }
  }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw Damaged{};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

// The layout of a T written by Encoder: "{major:8,minor:8}". A cache with another layout is not
// read.
template <class T>
std::string layout_of() {
  if constexpr (Described<T>) {
    std::string layout;
    T object{};
    for_each_member(object, [&](std::string_view name, const auto& member) {
      layout += fmt::format("{}:{},", name, layout_of<std::remove_cvref_t<decltype(member)>>());
    });
    return "{" + layout + "}";
  } else if constexpr (DescribedEnum<T>) {
    return "(" + join(enum_texts<T>()) + ")";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(sizeof(T));
  } else if constexpr (std::is_assignable_v<T&, std::string_view>) {
    return "text";
  } else {
    return "[" + layout_of<typename T::value_type>() + "]";
  }
}

// What must be the same for the cached answers to hold: the layout of a record, and the host.
std::string header() {
  Encoder out;
  out.add(std::string_view("grapnel plugins"));
  out.add(layout_of<Candidate>());
  out.add(std::string_view(GRAPNEL_VERSION));
  out.add(host_abi);
  out.add(this_platform());
  out.add(offered_extensions());
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
    if (Decoder(end).get<std::uint64_t>() != checksum(bytes)) return;
    Decoder in(bytes.substr(expected.size()));
    entries_.reserve(std::min<std::size_t>(in.get<std::uint32_t>(), max_entries));
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

std::optional<Candidate> ScanCache::find(const std::string& path, const FileIdentity& identity) {
  const auto it = entries_.find(path);
  if (it == entries_.end()) return std::nullopt;
  try {
    auto known = Decoder(it->second.record).get<Candidate>();
    if (known.manifest_file.empty()) {
      if (known.identity != identity) return std::nullopt;
    } else if (known.manifest_identity != identity ||
               file_identity(known.library, Links::refuse) != known.identity) {
      return std::nullopt;
    }
    it->second.seen = true;
    return known;
  } catch (const Damaged&) {
    return std::nullopt;
  } catch (const IoError&) {
    return std::nullopt;  // the library can't be examined: examining the file again reports why
  }
}

void ScanCache::store(const std::string& path, const Examined& examined) {
  const Candidate& candidate = examined.candidate;
  const std::int64_t newest =
      std::max(candidate.identity.changed_ns, candidate.manifest_identity.changed_ns);
  if (!examined.is_cacheable || newest > now_ns() - youngest_ns) {
    changed_ |= entries_.erase(path) > 0;
    return;
  }
  Encoder record;
  record.add(candidate);
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
    out.add(static_cast<std::uint32_t>(std::min(entries_.size(), max_entries)));
    for (const auto& [path, entry] : entries_) {
      if (!entry.seen && !keep_unseen) continue;
      out.add(path);
      out.add(entry.record);
    }
    const std::string bytes = header() + out.bytes();
    Encoder end;
    end.add(checksum(bytes));
    make_private_directory(file_.parent_path());
    write_file(file_, bytes + end.bytes(), Durability::fast);
  } catch (const std::exception& error) {
    log_debug("the cache of plugins was not written: {}", error.what());
  }
}

}  // namespace grapnel::host
