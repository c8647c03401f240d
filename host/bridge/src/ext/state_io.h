// Extension state: the writer for a plugin's save and the reader for its load.
//
// A state is a StateDict of the values put: tensors (arrays too), integers, numbers, strings; bytes
// are {"bytes": U8 tensor}, to distinguish them from an array. Values are copied immediately.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <grapnel/ext/state.h>
#include <grapnel/state_dict.h>

namespace grapnel::bridge {

class InstanceHost;

// Lives on the stack around the plugin's save.
class StateWriter {
 public:
  explicit StateWriter(InstanceHost& host);
  const grapnel_state_writer* abi() const noexcept { return &abi_.table; }
  StateDict take() { return std::move(state_); }

 private:
  struct Abi {
    grapnel_state_writer table;
    StateWriter* self;
  };
  template <class Make>
  static std::int32_t put(const grapnel_state_writer* writer, const char* name, grapnel_string key,
                          std::uint64_t bytes, Make&& make) noexcept;
  void check(std::string_view key, std::uint64_t bytes);

  Abi abi_;
  InstanceHost& host_;
  StateDict state_;
  std::unordered_set<std::string> keys_;  // of state_, whose look-up is linear
  std::uint64_t bytes_ = 0;               // of all values but tensors
};

// Lives on the stack around the plugin's load.
class StateReader {
 public:
  StateReader(InstanceHost& host, const StateDict& state, const std::string& version);
  const grapnel_state_reader* abi() const noexcept { return &abi_.table; }

 private:
  struct Abi {
    grapnel_state_reader table;
    StateReader* self;
  };
  template <class Read>
  static std::int32_t get(const grapnel_state_reader* reader, const char* name, grapnel_string key,
                          const void* output, Read&& read) noexcept;

  Abi abi_;
  InstanceHost& host_;
  const StateDict& state_;
  std::unordered_map<std::string_view, const StateValue*> index_;  // of state_
};

}  // namespace grapnel::bridge
