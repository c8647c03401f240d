// A checkpoint file with any document and some small tensors, and the comparison of two states.
#pragma once

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/state_dict.h>

namespace grapnel::fuzz {

// Tensors "a" to "e": F32 [2, 2], I64 [3], F64 [2], BF16 [2, 2] and U8 [0].
inline void write_small_checkpoint(const std::filesystem::path& path, const ConfigValue& document) {
  static const std::array<std::byte, 32> bytes{std::byte{1}, std::byte{0xc0}, std::byte{0x7f}};
  const auto tensor = [](const char* name, const char* dtype, std::vector<std::int64_t> shape,
                         std::size_t size) {
    return TensorView{name, dtype, std::move(shape), std::span(bytes).first(size)};
  };
  const std::array tensors = {tensor("a", "F32", {2, 2}, 16), tensor("b", "I64", {3}, 24),
                              tensor("c", "F64", {2}, 16), tensor("d", "BF16", {2, 2}, 8),
                              tensor("e", "U8", {0}, 0)};
  write_checkpoint_file(path, tensors, document, Durability::fast);
}

inline bool same(const StateDict& a, const StateDict& b);

// Bit by bit: NaN is NaN, -0.0 is not 0.0.
inline bool same(const StateValue& a, const StateValue& b) {
  if (a.variant().index() != b.variant().index()) return false;
  if (a.is_double()) {
    const double x = a.to_double(), y = b.to_double();
    return std::memcmp(&x, &y, sizeof x) == 0 || (x != x && y != y);
  }
  if (a.is_tensor()) {
    const at::Tensor &x = a.to_tensor(), &y = b.to_tensor();
    if (!x.defined() || !y.defined()) return x.defined() == y.defined();
    if (x.scalar_type() != y.scalar_type() || x.sizes() != y.sizes()) return false;
    const at::Tensor p = x.contiguous(), q = y.contiguous();
    return p.nbytes() == 0 || std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()) == 0;
  }
  if (a.is_list()) {
    const StateList &x = a.to_list(), &y = b.to_list();
    if (x.size() != y.size()) return false;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!same(x[i], y[i])) return false;
    }
    return true;
  }
  if (a.is_dict()) return same(a.to_dict(), b.to_dict());
  if (a.is_string()) return a.to_string() == b.to_string();
  if (a.is_int()) return a.to_int() == b.to_int();
  return a.is_null() || a.to_bool() == b.to_bool();
}

inline bool same(const StateDict& a, const StateDict& b) {
  if (a.size() != b.size()) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x->first != y->first || !same(x->second, y->second)) return false;
  }
  return true;
}

}  // namespace grapnel::fuzz
