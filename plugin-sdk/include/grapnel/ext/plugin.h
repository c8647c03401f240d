/* Extension plugin: what the plugin is to this host, where its files are, and where it may write.
 *
 * The library that runs is a private copy: the path that the loader knows (dladdr, $ORIGIN) is not
 * where the user keeps it. Data that ships with the library is in origin_directory. The host has not
 * verified it, and it may change or vanish while the copy runs: read no code from there. What the
 * plugin keeps for itself, a cache say, belongs into data_directory, what belongs to a run into
 * the run's directory (ext/trainer.h).
 */
#ifndef GRAPNEL_EXT_PLUGIN_H_
#define GRAPNEL_EXT_PLUGIN_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_PLUGIN "grapnel.plugin/1"

/* Growable, the host's, valid until destroy. */
typedef struct grapnel_plugin_info {
  uint32_t struct_size;
  uint32_t reserved;
  grapnel_string id; /* as in plugin.json, like the next two */
  grapnel_string version;
  grapnel_string callback;         /* the name of the factory that made the instance */
  grapnel_string label;            /* of the instance, from the user's settings; may be empty */
  grapnel_string origin_directory; /* of the user's library, absolute; empty: not known */
  grapnel_string libtorch_version; /* the host's, "2.15.0" */
} grapnel_plugin_info;

/* In create and init too. */
typedef struct grapnel_plugin_services {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* info)(const grapnel_host* host, const grapnel_plugin_info** info);
  /* The absolute path of the plugin's own directory, made by the first call: nobody but the user
   * can read it or write to it. All runs, instances and versions of the plugin have the same one,
   * several processes at a time perhaps, and the host removes nothing from it. The text is valid
   * until destroy. Fails where it can't be made or others may write to it. */
  int32_t(GRAPNEL_CALL* data_directory)(const grapnel_host* host, grapnel_string* path);
} grapnel_plugin_services;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_PLUGIN_H_ */
