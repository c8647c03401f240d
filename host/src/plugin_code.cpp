#include <grapnel/host/plugin_code.h>

#include <atomic>
#include <exception>
#include <functional>
#include <utility>

#include "platform.h"

namespace grapnel::host {
namespace {

// Never freed: signal handlers and threads of plugins read it until the process ends.
struct Note {
  PluginCode code;
  AddressRange range;
  const Note* next = nullptr;
};
std::atomic<const Note*> notes = nullptr;
static_assert(std::atomic<const Note*>::is_always_lock_free);

std::atomic<const AddressRange*> runtime = nullptr;

bool contains(const AddressRange& range, const void* address) noexcept {
  return !std::less<>()(address, range.begin) && std::less<>()(address, range.end);
}

// Looked for when a library is loaded, not when a thread is made: it takes the dynamic loader's lock.
const AddressRange* find_runtime() {
  const auto range_of = [](auto* function) {
    return mapped_range(reinterpret_cast<const void*>(function));
  };
  const AddressRange found = range_of(&std::terminate);
  return new AddressRange(found.begin == range_of(&plugin_at).begin ? AddressRange() : found);
}

}  // namespace

bool starts_std_threads(const void* function) noexcept {
  const AddressRange* const range = runtime.load(std::memory_order_acquire);
  return range != nullptr && contains(*range, function);
}

const PluginCode* plugin_at(const void* address) noexcept {
  for (const Note* note = notes.load(std::memory_order_acquire); note != nullptr;
       note = note->next) {
    if (contains(note->range, address)) return &note->code;
  }
  return nullptr;
}

void note_plugin_code(PluginCode code, const void* inside) {
  if (runtime.load() == nullptr) runtime = find_runtime();
  const AddressRange range = mapped_range(inside);
  if (range.begin == range.end) return;
  auto* const note = new Note{std::move(code), range};
  note->next = notes.load(std::memory_order_relaxed);
  while (!notes.compare_exchange_weak(note->next, note, std::memory_order_release,
                                      std::memory_order_relaxed)) {
  }
}

}  // namespace grapnel::host
