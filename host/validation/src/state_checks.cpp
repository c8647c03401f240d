// The group state: saving and loading, and states that are damaged, strange or old.
#include <fmt/format.h>

#include <cstring>
#include <random>

#include <grapnel/base/text.h>

#include "subject.h"

namespace grapnel::validation {
namespace {

using testkit::RecordedState;
using testkit::RunningCallback;

bool is_same(const RecordedState::Value& one, const RecordedState::Value& other) {
  if (one.index() != other.index()) return false;
  if (const auto* number = std::get_if<double>(&one)) {
    return std::memcmp(number, std::get_if<double>(&other), sizeof *number) == 0;
  }
  const auto* tensor = std::get_if<testkit::FakeTensorPtr>(&one);
  if (tensor == nullptr) return one == other;
  const testkit::FakeTensor& a = **tensor;
  const testkit::FakeTensor& b = **std::get_if<testkit::FakeTensorPtr>(&other);
  return a.dtype == b.dtype && a.sizes == b.sizes && a.values.size() == b.values.size() &&
         std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(double)) == 0;
}

// "'seen' differs", or empty; the order of the entries doesn't count.
std::string difference(const RecordedState& one, const RecordedState& other) {
  for (const auto& [key, value] : one.entries) {
    const auto* found = other.find(key);
    if (found == nullptr) return fmt::format("{} is missing", quote(key));
    if (!is_same(value, *found)) return fmt::format("{} differs", quote(key));
  }
  for (const auto& [key, value] : other.entries) {
    if (one.find(key) == nullptr) return fmt::format("{} is new", quote(key));
  }
  return {};
}

// With an instance that was trained and its state.
Verdict with_state(Subject& subject,
                   const std::function<Verdict(const host::CallbackManifest&, Instance&,
                                               const RecordedState&)>& check) {
  return subject.each([&](const host::CallbackManifest& callback) {
    Instance instance = subject.start(callback);
    if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
    const grapnel_state* table = nullptr;
    try {
      table = instance.callback->state();
    } catch (const std::exception& error) {
      return skip(error.what());
    }
    if (table == nullptr) return skip("it has no state");
    if (!GRAPNEL_HAS(table, load) || table->save == nullptr || table->load == nullptr) {
      return skip("its state has no functions to save and load");
    }
    testkit::TrainingPlan plan;
    plan.checkpoints = false;
    (void)testkit::run_training(*instance.callback, plan);
    try {
      return check(callback, instance, instance.callback->save());
    } catch (const std::exception& error) {
      return skip("it can't be saved");
    }
  });
}

Verdict table(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const grapnel_state* state = nullptr;
    try {
      state = instance.callback->state();
    } catch (const std::exception& error) {
      return skip(error.what());
    }
    if (state == nullptr) return skip("it has no state");
    if (!GRAPNEL_HAS(state, load)) {
      return fail(fmt::format("its table of grapnel.state has {} bytes, at least {} are needed",
                              state->struct_size, GRAPNEL_END_OF(grapnel_state, load)));
    }
    if (state->save == nullptr || state->load == nullptr) {
      return fail("its table of grapnel.state has no function save or load");
    }
    return pass();
  });
}

Verdict save(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const grapnel_state* state = nullptr;
    try {
      state = instance.callback->state();
    } catch (const std::exception& error) {
      return skip(error.what());
    }
    if (state == nullptr) return skip("it has no state");
    if (!GRAPNEL_HAS(state, load) || state->save == nullptr) return skip("it can't be saved");
    try {
      const RecordedState saved = instance.callback->save();
      if (instance.host.breaches.empty())
        return pass(fmt::format("{} entries", saved.entries.size()));
      return fail("it puts what no host takes: " + instance.host.breaches.front());
    } catch (const std::exception& error) {
      const auto& host = instance.host;
      return fail(!host.breaches.empty()   ? host.breaches.front()
                  : !host.failures.empty() ? "save failed: " + host.failures.back()
                                           : error.what());
    }
  });
}

Verdict key(Subject& subject) {
  return with_state(subject, [&](const auto& callback, Instance& instance, const RecordedState&) {
    const auto first = instance.callback->state_key();
    if (!first) return skip("the host makes its key from its parameters");
    if (first->empty() || first->size() > 512) return fail("its key is not 1 to 512 bytes long");
    Instance other = subject.start(callback);
    if (first == instance.callback->state_key() && other.callback != nullptr &&
        first == other.callback->state_key()) {
      return pass(*first);
    }
    return fail(fmt::format(
        "its key, {} at first, is another one each time; a resumed training would not find it",
        quote(*first)));
  });
}

Verdict round_trip(Subject& subject) {
  return with_state(subject, [&](const auto& callback, Instance&, const RecordedState& saved) {
    Instance resumed = subject.start(callback);
    if (resumed.callback == nullptr) return skip("it can't be created: " + resumed.refusal);
    if (resumed.callback->load(saved) != GRAPNEL_OK) {
      return fail("it refuses its own state: " + (resumed.host.failures.empty()
                                                      ? std::string("without a reason")
                                                      : resumed.host.failures.back()));
    }
    const std::string found = difference(saved, resumed.callback->save());
    return found.empty() ? pass() : fail("saved, loaded and saved again, " + found);
  });
}

// A failed load gives a reason and a status that exists.
std::string load_fault(Instance& instance, const RecordedState& state) {
  instance.host.failures.clear();
  instance.host.pending = false;
  const std::int32_t status = instance.callback->load(state);
  if (!is_status_of_plugin(status) && status != GRAPNEL_NOT_FOUND) {
    return fmt::format("load answered {}", status);
  }
  if (status == GRAPNEL_ERROR && instance.host.failures.empty()) {
    return "load answered GRAPNEL_ERROR without a text";
  }
  return {};
}

Verdict loads(
    Subject& subject,
    const std::function<std::vector<std::pair<std::string, RecordedState>>(const RecordedState&)>&
        variants) {
  return with_state(subject, [&](const auto& callback, Instance&, const RecordedState& saved) {
    const auto all = variants(saved);
    for (const auto& [name, state] : all) {
      Instance instance = subject.start(callback);
      if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
      const std::string fault = load_fault(instance, state);
      if (!fault.empty()) return fail(fmt::format("{}: {}", name, fault));
      (void)testkit::run_training(*instance.callback);  // with whatever it took
    }
    return pass(all.empty() ? "nothing to change"
                            : fmt::format("{} states, the last {}", all.size(), all.back().first));
  });
}

template <class Container>
Container cut(const Container& whole, std::size_t eighths) {
  return Container(whole.begin(),
                   whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * eighths / 8));
}

RecordedState cut_values(RecordedState state, std::size_t eighths) {
  for (auto& [key, value] : state.entries) {
    if (auto* words = std::get_if<std::string>(&value)) *words = cut(*words, eighths);
    if (auto* bytes = std::get_if<std::vector<unsigned char>>(&value))
      *bytes = cut(*bytes, eighths);
    if (auto* tensor = std::get_if<testkit::FakeTensorPtr>(&value)) {
      auto shorter = std::make_shared<testkit::FakeTensor>(**tensor);
      shorter->values = cut(shorter->values, eighths);
      shorter->sizes = {static_cast<std::int64_t>(shorter->values.size())};
      *tensor = std::move(shorter);
    }
  }
  return state;
}

std::vector<std::pair<std::string, RecordedState>> cut_states(const RecordedState& saved) {
  std::vector<std::pair<std::string, RecordedState>> states;
  for (std::size_t eighths = 1; eighths < 8; ++eighths) {
    RecordedState fewer = saved;
    fewer.entries = cut(saved.entries, eighths);
    if (!fewer.entries.empty()) {
      states.emplace_back(fmt::format("the first {}/8 of its entries", eighths), std::move(fewer));
    }
    states.emplace_back(fmt::format("its values cut at {}/8", eighths), cut_values(saved, eighths));
  }
  return states;
}

Verdict truncated(Subject& subject) {
  return loads(subject, cut_states);
}

Verdict failed_load(Subject& subject) {
  return with_state(subject, [&](const auto& callback, Instance&, const RecordedState& saved) {
    int failed = 0;
    for (const auto& [name, state] : cut_states(saved)) {
      Instance instance = subject.start(callback);
      if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
      (void)instance.callback->load(saved);
      const RecordedState before = instance.callback->save();
      if (instance.callback->load(state) == GRAPNEL_OK) continue;
      ++failed;
      const std::string found = difference(before, instance.callback->save());
      if (!found.empty()) {
        return fail(fmt::format("{}: the load failed and changed the state: {}", name, found));
      }
    }
    return pass(fmt::format("{} failed loads", failed));
  });
}

Verdict random_values(Subject& subject) {
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  Verdict verdict = loads(subject, [&](const RecordedState& saved) {
    std::vector<std::pair<std::string, RecordedState>> states;
    for (int i = 0; i < 16; ++i) {
      RecordedState state = saved;
      for (auto& [key, value] : state.entries) {
        if (auto* integer = std::get_if<std::int64_t>(&value)) {
          *integer = static_cast<std::int64_t>(random());
        } else if (auto* number = std::get_if<double>(&value)) {
          const std::uint64_t bits = random();
          std::memcpy(number, &bits, sizeof bits);
        } else if (auto* words = std::get_if<std::string>(&value)) {
          words->resize(random() % 64);
          for (char& c : *words) c = static_cast<char>(random());
        } else if (auto* bytes = std::get_if<std::vector<unsigned char>>(&value)) {
          bytes->resize(random() % 64);
          for (unsigned char& byte : *bytes) byte = static_cast<unsigned char>(random());
        } else if (auto* tensor = std::get_if<testkit::FakeTensorPtr>(&value)) {
          auto other = std::make_shared<testkit::FakeTensor>(**tensor);
          other->values.resize(random() % 16);
          other->sizes = {static_cast<std::int64_t>(other->values.size())};
          *tensor = std::move(other);
        }
      }
      states.emplace_back(fmt::format("random state {}", i), std::move(state));
    }
    return states;
  });
  if (verdict.result != CheckResult::skip) verdict.detail += fmt::format(" (seed {})", seed);
  return verdict;
}

Verdict other_types(Subject& subject) {
  return loads(subject, [](const RecordedState& saved) {
    std::vector<std::pair<std::string, RecordedState>> states;
    for (std::size_t i = 0; i < saved.entries.size(); ++i) {
      RecordedState state = saved;
      auto& [key, value] = state.entries[i];
      value = std::holds_alternative<std::string>(value)
                  ? RecordedState::Value(std::int64_t{1})
                  : RecordedState::Value(std::string("text"));
      states.emplace_back(fmt::format("{} of another type", quote(key)), std::move(state));
    }
    return states;
  });
}

Verdict older_version(Subject& subject) {
  return loads(subject, [](const RecordedState& saved) {
    RecordedState older = saved;
    older.version = "0.0.1";
    return std::vector<std::pair<std::string, RecordedState>>{{"of version 0.0.1", older}};
  });
}

Verdict empty(Subject& subject) {
  return loads(subject, [](const RecordedState&) {
    return std::vector<std::pair<std::string, RecordedState>>{{"without entries", RecordedState()}};
  });
}

}  // namespace

std::vector<Check> state_checks() {
  return {
      {"state.table", "its table of functions is complete", table},
      {"state.save", "it can be saved within the limits", save},
      {"state.key", "its key is the same each time", key},
      {"state.round_trip", "saved, loaded and saved again it is the same", round_trip},
      {"state.truncated", "states that were cut are loaded or refused", truncated},
      {"state.failed_load", "a load that fails changes nothing", failed_load},
      {"state.random_values", "random values are loaded or refused", random_values},
      {"state.other_types", "values of other types are loaded or refused", other_types},
      {"state.older_version", "the state of an older version is loaded or refused", older_version},
      {"state.empty", "a state without entries is loaded or refused", empty},
  };
}

}  // namespace grapnel::validation
