// Extension state: the writer for a plugin's save and the reader for its load.
//
// A state is a StateDict of the values put: tensors (arrays too), integers, numbers, strings; bytes
// are {"bytes": U8 tensor}, to distinguish them from an array. Values are copied immediately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <grapnel/ext/state.h>
#include <grapnel/state_dict.h>

namespace grapnel::bridge {

class InstanceHost;

inline constexpr std::size_t kMostStateKeyBytes = 512;
// Whether a plugin may use it: 1 to 512 bytes of UTF-8 without control characters.
bool is_state_key(std::string_view text) noexcept;

// Of one instance, and as alive as its host. The table that the plugin sees is never freed: a
// pointer that it keeps past its save, or past destroy, answers GRAPNEL_NOT_NOW, as the host does.
class StateWriter {
 public:
  explicit StateWriter(InstanceHost& host);
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;
  const grapnel_state_writer* abi() const noexcept { return &abi_.table; }
  // Around the plugin's save; close() returns what was put.
  void open();
  StateDict close();

 private:
  struct Abi {
    grapnel_state_writer table;
    const grapnel_host* host;
    StateWriter* self;
  };
  template <class Make>
  static std::int32_t put(const grapnel_state_writer* writer, const char* name, grapnel_string key,
                          std::uint64_t bytes, Make&& make) noexcept;
  void check(std::string_view key, std::uint64_t bytes);

  Abi& abi_;
  bool open_ = false;
  StateDict state_;
  std::unordered_set<std::string> keys_;  // of state_, whose look-up is linear
  std::uint64_t bytes_ = 0;               // of all values but tensors
};

// Of one instance, as the writer.
class StateReader {
 public:
  explicit StateReader(InstanceHost& host);
  StateReader(const StateReader&) = delete;
  StateReader& operator=(const StateReader&) = delete;
  const grapnel_state_reader* abi() const noexcept { return &abi_.table; }
  // Around the plugin's load. `state` and `version` are borrowed until close().
  void open(const StateDict& state, const std::string& version);
  void close();

 private:
  struct Abi {
    grapnel_state_reader table;
    const grapnel_host* host;
    StateReader* self;
  };
  template <class Use>
  static std::int32_t use(const grapnel_state_reader* reader, const char* name, Use&& use) noexcept;
  template <class Read>
  static std::int32_t get(const grapnel_state_reader* reader, const char* name, grapnel_string key,
                          const void* output, Read&& read) noexcept;

  Abi& abi_;
  const StateDict* state_ = nullptr;                               // while it is open
  std::unordered_map<std::string_view, const StateValue*> index_;  // of *state_
};

}  // namespace grapnel::bridge
