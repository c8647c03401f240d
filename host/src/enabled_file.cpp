#include "enabled_file.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>
#include <grapnel/host/trust.h>

#include "descriptions.h"
#include "private_directory.h"
#include "unwritable_home.h"

namespace grapnel::host {
namespace {

constexpr std::int64_t file_format = 1;
constexpr std::size_t max_file_bytes = std::size_t{16} << 20;
constexpr double lock_timeout_seconds = 20.0;

EnabledPlugin parse_plugin(const ConfigValue& value) {
  ConfigValue complete = value;
  for (const char* key : {"origin_stamp", "enabled_at"}) {  // older releases recorded neither
    if (!complete.contains(key)) complete.set(key, "");
  }
  auto plugin = from_json<EnabledPlugin>(complete);
  for (const char* key : {"digest", "manifest_digest"}) {
    if (is_digest(value.at(key).as_string(key))) continue;
    throw value.at(key).error(
        fmt::format("'{}' must be 64 hexadecimal digits, found {}", key, value.at(key).describe()),
        key);
  }
  // Files are called by both.
  if (!is_plain_name(plugin.id) || !is_plain_name(plugin.file)) {
    throw value.error("a plugin needs an 'id', and a 'file' that is a plain file name");
  }
  return plugin;
}

// The file's tree; null when there is no file.
ConfigValue read_tree(const std::filesystem::path& file) {
  const std::optional<FileIdentity> identity = file_identity(file);
  if (!identity) return {};
  if (identity->kind != FileKind::regular) {
    throw ConfigError({.file = file.string()}, "it is not a regular file");
  }
  // Write access here decides which code runs.
  if (const std::string refusal = TrustChecker().refusal(real_path(file)); !refusal.empty()) {
    throw ConfigError({.file = file.string()}, refusal);
  }
  return read_json_file(file, {.max_bytes = max_file_bytes, .max_depth = 16});
}

void write_tree(const std::filesystem::path& file, const ConfigValue& tree) {
  AtomicFile out(file);
  using std::filesystem::perms;
  std::error_code failure;
  std::filesystem::permissions(out.temporary(), perms::owner_read | perms::owner_write, failure);
  if (failure) throw IoError("write to", file, failure.value());
  out.write(write_json(tree, JsonStyle::pretty));
  out.commit();
}

// The same error at the same position, with advice.
[[noreturn]] void throw_damaged(const std::filesystem::path& file, const ConfigError& error) {
  const SourcePosition position{.file = error.file, .line = error.line, .column = error.column};
  std::string_view message = error.what();
  if (const std::string where = position.to_string(); message.starts_with(where + ": ")) {
    message.remove_prefix(where.size() + 2);
  }
  throw ConfigError(
      position,
      fmt::format("the record of enabled plugins cannot be used: {}; fix it, or move {} "
                  "away and enable the plugins again (the file was not changed); to train without "
                  "plugins meanwhile: GRAPNEL_PLUGINS=none",
                  message, quote(file.string())),
      error.key, error.nearest);
}

// The records of a tree by the plugin's id.
std::unordered_map<std::string, const ConfigValue*> records_of(const ConfigValue* plugins) {
  std::unordered_map<std::string, const ConfigValue*> records;
  if (plugins == nullptr) return records;
  for (const ConfigValue& plugin : plugins->as_array()) {
    records.emplace(plugin.at("id").as_string(), &plugin);
  }
  return records;
}

// Keeps members of the plugin's old record that this version doesn't know.
void keep_unknown_keys(ConfigValue& plugin, const ConfigValue& old) {
  for (const ConfigValue::Member& member : old.as_object()) {
    if (!plugin.contains(member.key)) plugin.set(member.key, member.value);
  }
}

// Only who can't write there is told which directories are meant.
FileLock lock_record(const HostDirectories& directories) {
  try {
    make_private_directory(directories.config);
    return private_lock(directories.config / "plugins.json.lock", LockKind::exclusive,
                        lock_timeout_seconds);
  } catch (const IoError& error) {
    throw_unwritable("record plugins in", directories.config, error);
  }
}

EnabledPlugins parse_or_explain(const std::filesystem::path& file, ConfigValue& tree) {
  try {
    tree = read_tree(file);
    return tree.is_null() ? EnabledPlugins{} : parse_enabled(tree);
  } catch (const ConfigError& error) {
    throw_damaged(file, error);
  } catch (const DataError& error) {  // far too long
    throw_damaged(file, ConfigError({.file = file.string()}, error.detail));
  }
}

}  // namespace

EnabledPlugins parse_enabled(const ConfigValue& root) {
  const std::int64_t format = root.at("format").as_int("format");
  if (format != file_format) {
    throw root.at("format").error(
        fmt::format("format {} is not supported, this grapnel reads {}", format, file_format),
        "format");
  }
  EnabledPlugins enabled;
  if (const ConfigValue* all = root.find("trust_all_drop_ins")) {
    enabled.trust_all_drop_ins = all->as_bool("trust_all_drop_ins");
  }
  if (const ConfigValue* ids = root.find("disabled")) {
    for (const ConfigValue& id : ids->as_array("disabled")) {
      enabled.disabled.push_back(id.as_string("disabled"));
    }
  }
  if (const ConfigValue* plugins = root.find("plugins")) {
    std::unordered_set<std::string> ids;
    for (const ConfigValue& value : plugins->as_array("plugins")) {
      EnabledPlugin plugin = parse_plugin(value);
      if (!ids.insert(plugin.id).second) {
        throw value.error(fmt::format("the plugin {} is listed twice", quote(plugin.id)));
      }
      enabled.plugins.push_back(std::move(plugin));
    }
  }
  return enabled;
}

std::filesystem::path enabled_file(const HostDirectories& directories) {
  return directories.config / "plugins.json";
}

EnabledPlugins read_enabled(const HostDirectories& directories) {
  ConfigValue tree;
  return parse_or_explain(enabled_file(directories), tree);
}

void edit_enabled_file(const HostDirectories& directories,
                       const std::function<bool(EnabledPlugins&)>& change) {
  const std::filesystem::path file = enabled_file(directories);
  const FileLock lock = lock_record(directories);
  (void)remove_stale_temporaries(directories.config);
  ConfigValue tree;
  EnabledPlugins enabled = parse_or_explain(file, tree);
  if (!change(enabled)) return;

  // Edits the tree as it was read, to keep what this version doesn't know.
  if (tree.is_null()) {
    tree.set("format", file_format);
    tree.set("trust_all_drop_ins", enabled.trust_all_drop_ins);
  }
  ConfigValue plugins = ConfigValue::array();
  const auto old_records = records_of(tree.find("plugins"));
  for (const EnabledPlugin& plugin : enabled.plugins) {
    ConfigValue value = grapnel::to_json(plugin);
    if (const auto old = old_records.find(plugin.id); old != old_records.end()) {
      keep_unknown_keys(value, *old->second);
    }
    plugins.append(std::move(value));
  }
  tree.set("plugins", std::move(plugins));
  tree.set("disabled", ConfigValue(enabled.disabled));
  write_tree(file, tree);
  Store(directories).remove_unused(enabled.digests());
}

}  // namespace grapnel::host
