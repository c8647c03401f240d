// The group hosts: an older and a later host, and what only a later one asks for.
#include <fmt/format.h>

#include "subject.h"

namespace grapnel::validation {
namespace {

using testkit::HostShape;

// What it requires and a host of that shape doesn't have; empty: nothing.
std::string lacking(Subject& subject, HostShape shape) {
  testkit::RecordingHost host;
  host.shape = shape;
  for (const std::string& id : subject.plugin().manifest().required_extensions) {
    const void* table = nullptr;
    if (host.abi()->get_extension(host.abi(), testkit::to_abi(id), &table) != GRAPNEL_OK) return id;
  }
  return {};
}

Verdict in_host(Subject& subject, HostShape shape, const char* words) {
  if (const std::string id = lacking(subject, shape); !id.empty()) {
    return skip(fmt::format("it requires {}, which {} doesn't have", id, words));
  }
  return subject.each([&](const host::CallbackManifest& callback) {
    {
      Instance usual = subject.start(callback);
      if (usual.callback == nullptr) return skip("it can't be created: " + usual.refusal);
      if (!testkit::run_training(*usual.callback).failed_hook.empty()) {
        return skip("its training fails");
      }
    }
    Instance instance =
        subject.start(callback, [&](testkit::RecordingHost& host) { host.shape = shape; });
    if (instance.callback == nullptr) {
      return fail(fmt::format("it can't be created in {}: {}", words, instance.refusal));
    }
    const std::string fault =
        training_fault(testkit::run_training(*instance.callback), instance.host);
    return fault.empty() ? pass() : fail(fmt::format("in {} {}", words, fault));
  });
}

Verdict older(Subject& subject) {
  if (subject.plugin().entry().abi_minor > GRAPNEL_ABI_LOWEST_MINOR) {
    return skip("it is written for a later minor of the ABI, so older hosts refuse it");
  }
  return in_host(subject, HostShape::older, "a host of the lowest minor");
}

Verdict grown(Subject& subject) {
  return in_host(subject, HostShape::grown, "a host of a later minor");
}

constexpr std::string_view unknown_id = "grapnel.moon_of_cheese/1";

Verdict answer_fault(std::int32_t status, const void* table, const char* whose) {
  if (status == GRAPNEL_NOT_FOUND && table == nullptr) return pass();
  if (status == GRAPNEL_NOT_FOUND) {
    return fail(fmt::format("{} answers GRAPNEL_NOT_FOUND and sets the table", whose));
  }
  return fail(
      fmt::format("{} answers {} for an extension that doesn't exist; it is "
                  "GRAPNEL_NOT_FOUND, so that hosts may ask for newer ones",
                  whose, status));
}

Verdict unknown_extension(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    grapnel_instance* const raw = instance.callback->abi();
    if (!GRAPNEL_HAS(raw, get_extension) || raw->get_extension == nullptr) {
      return skip("it offers no extension");
    }
    const void* table = nullptr;
    const std::int32_t status = raw->get_extension(raw, testkit::to_abi(unknown_id), &table);
    return answer_fault(status, table, "its instance");
  });
}

Verdict library_extension(Subject& subject) {
  const grapnel_plugin& entry = subject.plugin().entry();
  if (!GRAPNEL_HAS(&entry, get_extension) || entry.get_extension == nullptr) {
    return skip("the library offers no extension");
  }
  const void* table = nullptr;
  const std::int32_t status = entry.get_extension(&entry, testkit::to_abi(unknown_id), &table);
  return answer_fault(status, table, "the library");
}

// Extensions that it offers: a table or GRAPNEL_NOT_FOUND, the same each time.
Verdict extension_tables(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    grapnel_instance* const raw = instance.callback->abi();
    if (!GRAPNEL_HAS(raw, get_extension) || raw->get_extension == nullptr) {
      return skip("it offers no extension");
    }
    for (const char* id : {GRAPNEL_EXT_STATE, GRAPNEL_EXT_EVENT}) {
      const void* tables[2] = {};
      for (const void*& table : tables) {
        const std::int32_t status = raw->get_extension(raw, testkit::to_abi(id), &table);
        if (status == GRAPNEL_NOT_FOUND) continue;
        if (status != GRAPNEL_OK) return fail(fmt::format("{}: it answers {}", id, status));
        if (table == nullptr) return fail(fmt::format("{}: GRAPNEL_OK without a table", id));
      }
      if (tables[0] != tables[1]) return fail(fmt::format("{}: another table each time", id));
    }
    return pass();
  });
}

}  // namespace

std::vector<Check> host_checks() {
  return {
      {"hosts.older", "it runs in a host of the lowest minor", older},
      {"hosts.grown", "it runs in a host of a later minor", grown},
      {"hosts.extension_tables", "it answers for its extensions with tables", extension_tables},
      {"hosts.unknown_extension", "an unknown extension is not found", unknown_extension},
      {"hosts.library_extension", "an unknown extension of the library is not found",
       library_extension},
  };
}

}  // namespace grapnel::validation
