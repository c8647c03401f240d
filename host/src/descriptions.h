// The descriptions (described.h) of host's structs and enums: their JSON, their texts, and the
// bytes of the scan cache.
#pragma once

#include <grapnel/base/described.h>
#include <grapnel/base/platform.h>
#include <grapnel/host/checkpoint_summary.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/enabling.h>
#include <grapnel/host/inspection.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/plugin_list.h>
#include <grapnel/host/probe.h>

namespace grapnel {

GRAPNEL_DESCRIBE_ENUM(FileKind, regular, directory, symbolic_link, other);
GRAPNEL_DESCRIBE(FileIdentity, device, inode, size, modified_ns, changed_ns, owner, mode, kind,
                 writable_by_others, sticky, owned_by_us);

namespace host {

GRAPNEL_DESCRIBE(AbiVersion, major, minor);

GRAPNEL_DESCRIBE_ENUM(SearchOrigin, option, environment, project, user, installed, file);
GRAPNEL_DESCRIBE(SearchDirectory, path, origin, exists);
GRAPNEL_DESCRIBE(PluginSummary, id, name, version, license, summary, abi, aliases, callbacks);
// The facts from the files' bytes. Left out: manifest, origin, shadowed_by.
GRAPNEL_DESCRIBE_ALL_BUT(3, Candidate, library, identity, manifest_file, manifest_identity, summary,
                         refused);

GRAPNEL_DESCRIBE(EnabledPlugin, id, version, digest, manifest_digest, file, origin, origin_stamp,
                 enabled_at);
GRAPNEL_DESCRIBE_ENUM(EnableResult::Action, enabled, updated, unchanged, repaired);
GRAPNEL_DESCRIBE_ENUM(DisableResult, disabled, noted, unchanged);

GRAPNEL_DESCRIBE_ENUM(PluginState, enabled, disabled, update_waits, missing, suspect, damaged,
                      shadowed, refused);
GRAPNEL_DESCRIBE(ListedPlugin, id, state, version, name, summary, license, callbacks, path, origin,
                 digest, enabled_at, crash, probe, note);
GRAPNEL_DESCRIBE(PluginList, plugins, directories, trust_all_drop_ins);
// Left out: manifest, facts, probe, which inspection.cpp adds.
GRAPNEL_DESCRIBE_ALL_BUT(3, Inspection, state, note, path, manifest_path, digest, enabled_at,
                         enabled_version);

GRAPNEL_DESCRIBE(CallbackProbe, callback, failure, skipped, wants_training, hooks, extensions);
GRAPNEL_DESCRIBE_ENUM(ProbeResult::End, passed, failed, crashed, hung, exited);
GRAPNEL_DESCRIBE(ProbeResult, end, cause, step, refused, signal, exit_code, error_tail, seconds,
                 changed, callbacks, digest, manifest_digest, origin_stamp, probed_at);

// Left out: fields, which are the keys of `state`.
GRAPNEL_DESCRIBE_ALL_BUT(1, CallbackState, key, plugin_version, tensors, tensor_bytes, state);
// Left out: groups, callbacks, hyper_parameters, which checkpoint_summary.cpp adds.
GRAPNEL_DESCRIBE_ALL_BUT(3, CheckpointSummary, path, bytes, format_version, sha256, grapnel_version,
                         epoch, global_step, batches, optimizers, schedulers);

}  // namespace host

template <>
inline constexpr std::array enum_spellings<host::PluginState> = {
    EnumSpelling<host::PluginState>{host::PluginState::update_waits, "update waits"}};

}  // namespace grapnel
