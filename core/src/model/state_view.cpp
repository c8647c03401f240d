#include "grapnel/state_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

template <class Entries>
auto find_entry(Entries& entries, std::string_view name) {
  return std::find_if(entries.begin(), entries.end(),
                      [name](const StateEntry& entry) { return entry.name == name; });
}

std::vector<StateEntry> filtered(const std::vector<StateEntry>& entries, bool parameters) {
  std::vector<StateEntry> chosen;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(chosen),
               [parameters](const StateEntry& entry) { return entry.is_parameter == parameters; });
  return chosen;
}

[[noreturn]] void throw_unknown(const std::vector<StateEntry>& entries, std::string_view name) {
  std::vector<std::string> names;
  for (const StateEntry& entry : entries) names.push_back(entry.name);
  const std::string candidate = nearest(name, names).value_or("");
  throw ConfigError(
      {},
      fmt::format("the model has no parameter or buffer named {}{}", quote(name),
                  candidate.empty() ? "" : fmt::format("; did you mean {}?", quote(candidate))),
      std::string(name), candidate);
}

void check_free(const std::vector<StateEntry>& entries, std::string_view name) {
  if (find_entry(entries, name) == entries.end()) return;
  throw ConfigError({},
                    fmt::format("the model has two parameters or buffers named {}; each needs "
                                "a name of its own",
                                quote(name)),
                    std::string(name));
}

// Of the same shape, type and device: the model multiplies with it in every forward pass.
void check_mask(const StateEntry& entry, const at::Tensor& mask) {
  const at::Tensor& tensor = entry.tensor;
  const auto describe = [](const at::Tensor& of) {
    return fmt::format("shape [{}] and type {} on {}", fmt::join(of.sizes(), ", "),
                       c10::toString(of.scalar_type()), of.device().str());
  };
  if (entry.is_parameter && mask.sizes() == tensor.sizes() &&
      mask.scalar_type() == tensor.scalar_type() && mask.device() == tensor.device()) {
    return;
  }
  throw ConfigError(
      {},
      fmt::format("{} cannot have a mask of {}: it is a {} of {}", quote(entry.name),
                  describe(mask), entry.is_parameter ? "parameter" : "buffer", describe(tensor)),
      entry.name);
}

}  // namespace

void StateView::add(StateEntry entry) {
  check_free(entries_, entry.name);
  // A parameter that is added late still comes before the buffers.
  auto place = entries_.end();
  if (entry.is_parameter) {
    place = std::find_if(entries_.begin(), entries_.end(),
                         [](const StateEntry& other) { return !other.is_parameter; });
  }
  entries_.insert(place, std::move(entry));
  ++generation_;
}

std::vector<StateEntry> StateView::parameters() const {
  return filtered(entries_, true);
}
std::vector<StateEntry> StateView::buffers() const {
  return filtered(entries_, false);
}

const StateEntry* StateView::find(std::string_view name) const {
  const auto found = find_entry(entries_, name);
  return found == entries_.end() ? nullptr : &*found;
}

StateEntry* StateView::find(std::string_view name) {
  const auto found = find_entry(entries_, name);
  return found == entries_.end() ? nullptr : &*found;
}

void StateView::rename(std::string_view from, std::string to) {
  const auto found = find_entry(entries_, from);
  if (found == entries_.end()) throw_unknown(entries_, from);
  if (from == to) return;
  check_free(entries_, to);
  found->name = std::move(to);
  ++generation_;
}

void StateView::set_mask(std::string_view name, at::Tensor mask) {
  const auto found = find_entry(entries_, name);
  if (found == entries_.end()) throw_unknown(entries_, name);
  if (!mask.defined() && !found->mask.defined()) return;
  if (mask.defined()) check_mask(*found, mask);
  found->mask = std::move(mask);
  ++generation_;
}

void StateView::erase(std::string_view name) {
  const auto found = find_entry(entries_, name);
  if (found == entries_.end()) throw_unknown(entries_, name);
  entries_.erase(found);
  ++generation_;
}

}  // namespace grapnel
