// Any bytes as the cache of examined plugin files, with the header and the checksum that belong to them:
// entries are found or not, and what is found is what the program may show. The cache is the user's own
// file, but a damaged one must not end the program.
#include <grapnel/base/digest.h>

#include <optional>
#include <string>

#include "descriptions.h"
#include "fuzz_target.h"
#include "input_file.h"
#include "scan_cache.h"

namespace scan_cache_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

constexpr const char* kPath = "/plugins/probe.so";

const fuzz::InputFile& cache_file() {
  static const fuzz::InputFile file("plugins.cache");
  return file;
}

template <class T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& bytes, std::string_view text) {
  append(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

// The part before the entries, as this build writes it: what a cache of one entry has before that
// entry's number and path.
std::string header() {
  host::ScanCache cache(cache_file().directory());
  cache.store(kPath, host::Examined{});
  cache.save();
  const std::string written = read_file(cache_file().path(), 1 << 20);
  const std::size_t path = written.find(kPath);
  require(path != std::string::npos && path > 2 * sizeof(std::uint32_t));
  return written.substr(0, path - 2 * sizeof(std::uint32_t));
}

void read(std::string content) {
  append(content, xxh3_64(std::as_bytes(std::span(content))));
  cache_file().write(std::as_bytes(std::span(content)));
  host::ScanCache cache(cache_file().directory());
  const std::optional<host::Candidate> found = cache.find(kPath, FileIdentity{});
  if (!found) return;
  (void)found->describe();
  (void)grapnel::to_json(found->summary);
}

}  // namespace

GRAPNEL_FUZZ_TARGET(scan_cache) {
  static const std::string before = header();
  read(before + std::string(fuzz::as_text(bytes)));
  // As the record of one entry, so that the fuzzer need not find out about lengths.
  std::string entry = before;
  append(entry, std::uint32_t{1});
  append_text(entry, kPath);
  append_text(entry, fuzz::as_text(bytes));
  read(std::move(entry));
}

}  // namespace scan_cache_fuzz
