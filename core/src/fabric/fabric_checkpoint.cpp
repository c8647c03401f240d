// Fabric's checkpoints: the items that the loop names, and the states of the callbacks.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/text.h"
#include "grapnel/checkpoint.h"
#include "grapnel/fabric.h"
#include "grapnel/version.h"
#include "model/weights.h"
#include "run/run.h"
#include "values/state_error.h"

namespace grapnel {

namespace {

constexpr std::string_view kCallbacks = "callbacks";
constexpr std::string_view kVersion = "grapnel_version";

StateValue saved_form(Run& run, const FabricItem& item) {
  const auto& target = item.target();
  if (Module* const* module = std::get_if<Module*>(&target)) {
    return weights_of(**module, run.weight_leases);
  }
  if (Optimizer* const* optimizer = std::get_if<Optimizer*>(&target)) {
    return (*optimizer)->state_dict();
  }
  if (LRScheduler* const* scheduler = std::get_if<LRScheduler*>(&target)) {
    return (*scheduler)->state_dict();
  }
  return std::get<StateValue>(target);
}

bool has_state(const FabricItem& item) {
  return !std::holds_alternative<StateValue>(item.target());
}

void put_back(Run& run, const FabricItem& item, const StateDict& saved, bool strict) {
  const auto& target = item.target();
  if (Module* const* module = std::get_if<Module*>(&target)) {
    WeightLoad(**module, run.weight_leases, saved, strict).apply();
  } else if (Optimizer* const* optimizer = std::get_if<Optimizer*>(&target)) {
    (*optimizer)->load_state_dict(saved);
  } else {
    std::get<LRScheduler*>(target)->load_state_dict(saved);
  }
}

// An item of the file, about to be put back.
struct Restored {
  const std::string& name;
  const FabricItem& item;
  StateDict saved;
};

// Errors about the item's state name the file and the place in it.
template <class Act>
void with_place(const std::filesystem::path& path, const Restored& restored, Act&& act) {
  try {
    act();
  } catch (const StateError& error) {
    const std::string place = place_of(restored.saved, error.where);
    throw CheckpointError(
        path,
        fmt::format("{}: {}", quote(place.empty() ? restored.name : restored.name + "." + place),
                    error.detail));
  }
}

void check_names(const FabricState& state) {
  for (size_t i = 0; i < state.size(); ++i) {
    const std::string& name = state[i].first;
    if (name == kCallbacks || name == kVersion) {
      throw ConfigError::of(
          name,
          "an item of a checkpoint can't be called {}, which is Fabric's own; choose another name",
          quote(name));
    }
    for (size_t j = 0; j < i; ++j) {
      if (state[j].first == name) {
        throw ConfigError::of(name, "two items of a checkpoint are called {}", quote(name));
      }
    }
  }
}

const StateValue* find_item(const std::filesystem::path& path, const StateDict& loaded,
                            const std::string& name, bool strict) {
  const StateValue* saved = loaded.find(name);
  if (saved != nullptr || !strict) return saved;
  std::vector<std::string> there;
  for (const auto& [key, value] : loaded) {
    if (key != kCallbacks && key != kVersion) there.push_back(key);
  }
  throw CheckpointError(path, fmt::format("it has no {}; it has {}", quote(name),
                                          there.empty() ? "nothing" : join_quoted(there, "and")));
}

}  // namespace

void Fabric::save(const std::filesystem::path& path, const FabricState& state) {
  check_names(state);
  Run& run = Run::of(trainer());
  StateDict checkpoint;
  for (const auto& [name, item] : state) checkpoint[name] = saved_form(run, item);
  checkpoint[kCallbacks] = run.checkpointing.callback_states().save();
  checkpoint[kVersion] = std::string(version_string());
  create_parent_directories(path);
  save_checkpoint_file(path, checkpoint);
}

StateDict Fabric::load(const std::filesystem::path& path, const FabricState& state, bool strict) {
  check_names(state);
  Run& run = Run::of(trainer());
  StateDict loaded = load_checkpoint_file(path);

  std::vector<Restored> all;
  for (const auto& [name, item] : state) {
    const StateValue* saved = find_item(path, loaded, name, strict);
    if (saved == nullptr || !has_state(item)) continue;
    if (Module* const* module = std::get_if<Module*>(&item.target())) {
      try {
        WeightLoad(**module, run.weight_leases, saved->to_dict(), strict);
      } catch (const Error& error) {
        throw CheckpointError(path, fmt::format("{}: {}", quote(name), error.what()));
      }
    }
    all.push_back({name, item, saved->to_dict()});
  }

  // When one refuses its state, those restored before it are reset.
  std::vector<std::function<void()>> undo;
  try {
    for (const Restored& restored : all) {
      const FabricItem& item = restored.item;
      undo.push_back([&run, &item, before = snapshot(saved_form(run, item).to_dict())] {
        put_back(run, item, before, /*strict=*/false);
      });
      with_place(path, restored, [&] { put_back(run, item, restored.saved, strict); });
    }
    if (const StateValue* states = loaded.find(kCallbacks)) {
      CallbackStates& callbacks = run.checkpointing.callback_states();
      callbacks.note_present(states->to_dict(), /*all_give=*/true);
      undo.push_back([&callbacks] { callbacks.load_back(); });
      callbacks.load(states->to_dict());
      callbacks.sort_out_absent(states->to_dict());
      callbacks.forget_present();
    }
  } catch (...) {
    for (auto step = undo.rbegin(); step != undo.rend(); ++step) (*step)();
    throw;
  }

  StateDict rest;
  for (const auto& [name, value] : loaded) {
    if (name == kCallbacks || name == kVersion) continue;
    const auto named =
        std::find_if(state.begin(), state.end(),
                     [&, &name = name](const auto& item) { return item.first == name; });
    if (named == state.end() || !has_state(named->second)) rest[name] = value;
  }
  return rest;
}

}  // namespace grapnel
