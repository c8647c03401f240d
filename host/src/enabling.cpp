#include <grapnel/host/enabling.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/crash_note.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/order.h>

#include "copied_manifest.h"
#include "descriptions.h"
#include "enabled_file.h"
#include "platform.h"
#include "private_directory.h"
#include "record_editor.h"
#include "unwritable_home.h"
#include "utc_time.h"

namespace grapnel::host {
namespace {

constexpr unsigned max_probes_at_once = 8;
constexpr std::size_t max_probed_together = 16;
// More files than these are written to the disk together.
constexpr std::size_t few_candidates = 4;

[[noreturn]] void refuse(const Candidate& candidate, const std::string& reason) {
  throw PluginError(fmt::format("cannot enable plugin {}: {}", candidate.describe(), reason),
                    {candidate.summary.id, candidate.summary.version, {}, {}});
}

// What the command line calls it: by its path when it is not in the search path.
std::string argument_of(const Candidate& candidate) {
  return candidate.origin == SearchOrigin::file ? quote(candidate.library.string())
                                                : candidate.label();
}

// "grapnel plugin enable --force ema"
std::string force_command(const Candidate& candidate) {
  return "grapnel plugin enable --force " + argument_of(candidate);
}

bool stands_for(const Manifest& manifest, const std::string& id) {
  return id == manifest.id || std::ranges::find(manifest.aliases, id) != manifest.aliases.end();
}

OrderedItem order_item(const Manifest& manifest) {
  return {manifest.id, manifest.aliases, manifest.before, manifest.after};
}

// Why the plugins can't be ordered; empty when they can.
std::string contradiction(const std::vector<OrderedItem>& items) {
  try {
    (void)plugin_order(items);
    return {};
  } catch (const PluginError& error) {
    return error.what();
  }
}

// One candidate on its way into the record.
struct Attempt {
  const Candidate* candidate = nullptr;
  EnableOutcome outcome{};
  std::string probed_digest{};  // of the library that was tried; empty: none was
  bool needs_probe = false;
  std::shared_ptr<const Manifest> manifest{};
  WrittenCopies wrote{};

  [[nodiscard]] bool is_alive() const noexcept { return outcome.failure == nullptr; }
  EnableResult& result() noexcept { return outcome.result; }
};

// Runs a step; what it throws is the attempt's failure.
template <class Step>
void take(Attempt& attempt, Step step) {
  if (!attempt.is_alive()) return;
  try {
    step(attempt);
  } catch (...) {
    attempt.outcome.failure = std::current_exception();
  }
}

class Enabling {
 public:
  Enabling(const std::vector<Candidate>& candidates, const HostDirectories& directories,
           const EnableOptions& options)
      : directories_(directories), options_(options), store_(directories) {
    attempts_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) attempts_.push_back({.candidate = &candidate});
  }

  std::vector<EnableOutcome> run() {
    require_writable();
    for (Attempt& attempt : attempts_) take(attempt, [&](Attempt& a) { examine(a); });
    probe();
    copy();
    check_found();
    if (std::ranges::any_of(attempts_, &Attempt::is_alive)) record();
    std::vector<EnableOutcome> outcomes;
    for (Attempt& attempt : attempts_) outcomes.push_back(std::move(attempt.outcome));
    return outcomes;
  }

 private:
  // Before anything is tried. A record that is damaged throws too.
  void require_writable() const {
    (void)read_enabled(directories_);
    try {
      store_.require_writable();
    } catch (const IoError& error) {
      throw_unwritable("keep plugins in", directories_.data, error);
    }
    try {
      make_private_directory(directories_.config);
    } catch (const IoError& error) {
      throw_unwritable("record plugins in", directories_.config, error);
    }
  }

  void examine(Attempt& attempt) {
    const Candidate& candidate = *attempt.candidate;
    if (!candidate.refused.empty()) refuse(candidate, candidate.refused);
    if (!candidate.shadowed_by.empty()) {
      refuse(candidate,
             fmt::format("another plugin {} comes first in the search path, {}; enable this "
                         "one by its file's path",
                         quote(candidate.summary.id), quote(candidate.shadowed_by.string())));
    }
    const LibraryFacts facts = read_library_file(candidate.library);
    attempt.result().links = linked_libraries(facts);
    if (options_.probe.program.empty()) return;
    const std::string digest = hex(sha256_file(candidate.library));
    const std::optional<ProbeResult> known = recorded_probe(digest, directories_);
    // Libraries that it links may have changed, and a failure may have been that of a moment.
    attempt.needs_probe = !known || !attempt.result().links.empty() || known->stops_trainings() ||
                          known->manifest_digest != hex(sha256(read_manifest(candidate)->text));
    if (!attempt.needs_probe) judge(attempt, *known);
  }

  void probe() {
    const std::vector<Group> groups = waiting_groups();
    if (groups.empty()) return;
    const OrphanTrap orphans;  // one for all
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < groups.size(); i = next++) try_out(groups[i]);
    };
    const std::size_t count = std::min<std::size_t>(groups.size(), probes_at_once());
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < count; ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
  }

  // To be tried in one process; each again alone unless all pass.
  using Group = std::vector<Attempt*>;

  static unsigned probes_at_once() {
    return std::clamp(std::thread::hardware_concurrency(), 1U, max_probes_at_once);
  }

  std::vector<Group> waiting_groups() {
    Group together;
    std::vector<Group> groups;
    for (Attempt& attempt : attempts_) {
      if (!attempt.is_alive() || !attempt.needs_probe) continue;
      // One that links others may need another program, and its failure is likelier.
      if (attempt.result().links.empty()) {
        together.push_back(&attempt);
      } else {
        groups.push_back({&attempt});
      }
    }
    const std::size_t size =
        std::clamp<std::size_t>(together.size() / (2 * probes_at_once()), 1, max_probed_together);
    for (std::size_t i = 0; i < together.size(); i += size) {
      const auto begin = together.begin() + static_cast<std::ptrdiff_t>(i);
      const std::size_t count = std::min(size, together.size() - i);
      groups.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(count));
    }
    return groups;
  }

  void try_out(const Group& group) const {
    if (group.size() > 1 && pass_together(group)) return;
    for (Attempt* attempt : group) {
      take(*attempt, [&](Attempt& a) { try_out(a); });
    }
  }

  [[nodiscard]] bool pass_together(const Group& group) const {
    std::vector<const Candidate*> candidates;
    for (const Attempt* attempt : group) candidates.push_back(attempt->candidate);
    try {
      const auto results = probe_together(candidates, directories_, options_.probe);
      for (std::size_t i = 0; i < results.size(); ++i) judge(*group[i], results[i]);
      return !results.empty();
    } catch (const Error&) {
      return false;  // whose fault it is, is found one by one
    }
  }

  void try_out(Attempt& attempt) const {
    try {
      judge(attempt, probe_plugin(*attempt.candidate, directories_, options_.probe));
    } catch (const PluginError&) {  // refused, or changed since it was examined
      throw;
    } catch (const Error& error) {  // not tried, which is not its fault
      if (options_.force == Force::no) {
        refuse(*attempt.candidate, fmt::format("{}; to enable it without a try: {}", error.what(),
                                               force_command(*attempt.candidate)));
      }
      attempt.result().concerns.push_back(fmt::format("it was not tried: {}", error.what()));
    }
  }

  void judge(Attempt& attempt, const ProbeResult& probe) const {
    attempt.probed_digest = probe.digest;
    if (probe.ok()) return;
    const std::string cause = cause_of(attempt, probe);
    if (!probe.stops_trainings()) {
      attempt.result().concerns.push_back(cause);
    } else if (options_.force == Force::yes) {
      attempt.result().concerns.push_back(
          fmt::format("trainings with it will fail as it did when it was tried: {}", cause));
    } else {
      refuse(*attempt.candidate,
             fmt::format("it failed when it was tried in a process of its own: {}; every training "
                         "with it would fail; to enable it all the same: {}",
                         cause, force_command(*attempt.candidate)));
    }
  }

  // Without the words that the refusal begins with, too.
  static std::string cause_of(const Attempt& attempt, const ProbeResult& probe) {
    std::string_view cause = probe.cause;
    const std::string beginning =
        fmt::format("cannot load plugin {}: ", attempt.candidate->describe());
    if (cause.starts_with(beginning)) cause.remove_prefix(beginning.size());
    return printable(cause);
  }

  void copy() {
    StoreWriter writer(store_,
                       attempts_.size() > few_candidates ? StoreSync::at_end : StoreSync::each);
    for (Attempt& attempt : attempts_) take(attempt, [&](Attempt& a) { copy(a, writer); });
    writer.finish();
  }

  static void copy(Attempt& attempt, StoreWriter& writer) {
    const Candidate& candidate = *attempt.candidate;
    const StoredFile library = writer.put_library(candidate);
    if (!attempt.probed_digest.empty() && attempt.probed_digest != library.digest) {
      refuse(candidate, "it changed since it was tried; check it and repeat the command");
    }
    attempt.manifest = manifest_of_copy(candidate, library);
    const Manifest& manifest = *attempt.manifest;
    const StoredFile text = writer.put_text(manifest.text, stored_manifest_name);
    attempt.wrote = {.library = !library.was_intact, .manifest = !text.was_intact};
    attempt.result().plugin = {
        .id = manifest.id,
        .version = manifest.version,
        .digest = library.digest,
        .manifest_digest = text.digest,
        .file = library.path.filename().string().substr(library.digest.size() + 1),
        .origin = candidate.library,
        .origin_stamp = file_stamp(candidate.identity),
        .enabled_at = utc_now()};
  }

  // A plugin that isn't enabled has settings and states too, of runs that named it.
  void check_found() {
    std::optional<Discovery> discovery;  // made when a plugin has former ids
    for (Attempt& attempt : attempts_) {
      take(attempt, [&](Attempt& a) {
        if (a.manifest->aliases.empty() || !options_.others || options_.replace == Replace::yes) {
          return;
        }
        if (!discovery) discovery = discover(*options_.others);
        for (const std::string& alias : a.manifest->aliases) {
          const auto found = discovery->by_id.find(alias);
          if (found == discovery->by_id.end()) continue;
          refuse_to_replace(a, alias, discovery->candidates[found->second]);
        }
      });
    }
  }

  [[noreturn]] static void refuse_to_replace(const Attempt& attempt, const std::string& alias,
                                             const Candidate& other) {
    refuse(
        *attempt.candidate,
        fmt::format("it says that '{}' is a former id of its own, and there is plugin {}; remove "
                    "that one if it is an earlier version, or let this one have its settings and "
                    "its states in checkpoints: grapnel plugin enable --replace {}",
                    alias, other.describe(), argument_of(*attempt.candidate)));
  }

  void record() {
    edit_enabled_file(directories_, [&](EnabledPlugins& enabled) {
      const std::vector<std::shared_ptr<const Manifest>> others = manifests_of(enabled);
      check_order(others);
      check_names(others);
      RecordEditor record(enabled, options_.replace);
      for (Attempt& attempt : attempts_) {
        take(attempt, [&](Attempt& a) { record.put(*a.manifest, a.wrote, a.result()); });
      }
      return std::ranges::any_of(attempts_, &Attempt::is_alive);
    });
    for (Attempt& attempt : attempts_) {
      if (attempt.is_alive() && attempt.result().action == EnableResult::Action::updated) {
        forget_crash(attempt.manifest->id, directories_);
      }
    }
  }

  // Refuses those with which the plugins can't be ordered.
  void check_order(const std::vector<std::shared_ptr<const Manifest>>& others) {
    std::vector<OrderedItem> items;
    for (const auto& manifest : others) items.push_back(order_item(*manifest));
    if (contradiction(with_all(items)).empty() || !contradiction(items).empty()) return;
    for (Attempt& attempt : attempts_) {
      take(attempt, [&](Attempt& a) {
        std::vector<OrderedItem> with_it = items;
        put(with_it, *a.manifest);
        const std::string reason = contradiction(with_it);
        if (!reason.empty()) refuse_order(a, reason);
        items = std::move(with_it);
      });
    }
  }

  void refuse_order(Attempt& attempt, const std::string& reason) const {
    if (options_.force == Force::yes) {
      attempt.result().concerns.push_back("every training will fail: " + reason);
      return;
    }
    refuse(
        *attempt.candidate,
        fmt::format("with it every training would fail: {}, or disable one of them; to enable it "
                    "all the same: {}",
                    reason, force_command(*attempt.candidate)));
  }

  // Ids may have dots, so that settings of "k.mon" may be meant for the callback "mon" of "k".
  void check_names(const std::vector<std::shared_ptr<const Manifest>>& others) {
    std::unordered_set<std::string> ids;
    std::unordered_map<std::string, std::string> callbacks;  // "k.mon" -> "k"
    const auto add = [&](const Manifest& manifest) {
      ids.insert(manifest.id);
      for (const CallbackManifest& callback : manifest.callbacks) {
        callbacks.emplace(manifest.id + "." + callback.name, manifest.id);
      }
    };
    for (const auto& manifest : others) add(*manifest);
    for (const Attempt& attempt : attempts_) {
      if (attempt.is_alive()) add(*attempt.manifest);
    }
    for (Attempt& attempt : attempts_) {
      if (!attempt.is_alive()) continue;
      const Manifest& manifest = *attempt.manifest;
      const auto tell = [&](const std::string& name, const std::string& other) {
        attempt.result().concerns.push_back(fmt::format(
            "settings under '{}' are those of the plugin with that id, not of a callback "
            "of plugin '{}'",
            name, other));
      };
      if (const auto other = callbacks.find(manifest.id); other != callbacks.end()) {
        tell(manifest.id, other->second);
      }
      for (const CallbackManifest& callback : manifest.callbacks) {
        const std::string name = manifest.id + "." + callback.name;
        if (ids.contains(name)) tell(name, manifest.id);
      }
    }
  }

  [[nodiscard]] std::vector<std::shared_ptr<const Manifest>> manifests_of(
      const EnabledPlugins& enabled) const {
    TrustChecker trust;
    std::vector<std::shared_ptr<const Manifest>> manifests;
    for (const EnabledPlugin& plugin : enabled.plugins) {
      try {
        manifests.push_back(read_enabled_manifest(plugin, store_, trust));
      } catch (const Error&) {  // damaged: reported where it is used
      }
    }
    return manifests;
  }

  [[nodiscard]] std::vector<OrderedItem> with_all(std::vector<OrderedItem> items) const {
    std::unordered_set<std::string_view> replaced;
    for (const Attempt& attempt : attempts_) {
      if (!attempt.is_alive()) continue;
      replaced.insert(attempt.manifest->id);
      replaced.insert(attempt.manifest->aliases.begin(), attempt.manifest->aliases.end());
    }
    std::erase_if(items, [&](const OrderedItem& item) { return replaced.contains(item.id); });
    for (const Attempt& attempt : attempts_) {
      if (attempt.is_alive()) items.push_back(order_item(*attempt.manifest));
    }
    return items;
  }

  // In the place of those that it stands for.
  static void put(std::vector<OrderedItem>& items, const Manifest& manifest) {
    std::erase_if(items, [&](const OrderedItem& item) { return stands_for(manifest, item.id); });
    items.push_back(order_item(manifest));
  }

  const HostDirectories& directories_;
  const EnableOptions& options_;
  const Store store_;
  std::vector<Attempt> attempts_;
};

}  // namespace

std::string_view to_string(EnableResult::Action action) noexcept {
  return enum_text(action);
}

std::vector<EnableOutcome> enable_plugins(const std::vector<Candidate>& candidates,
                                          const HostDirectories& directories,
                                          const EnableOptions& options) {
  return Enabling(candidates, directories, options).run();
}

EnableResult enable_plugin(const Candidate& candidate, const HostDirectories& directories,
                           Replace replace) {
  EnableOutcome outcome = enable_plugins({candidate}, directories, {.replace = replace}).front();
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  return std::move(outcome.result);
}

}  // namespace grapnel::host
