/* How plugin.json is embedded in a plugin's library, to be read from the file without loading it.
 *
 * On ELF it is a note: section GRAPNEL_MANIFEST_SECTION, name "Grapnel", type GRAPNEL_NOTE_TYPE,
 * the description the bytes of plugin.json. In a Windows PE file the section holds the same struct:
 * three uint32_t (name size 8, bytes of plugin.json, type), "Grapnel\0", the bytes of plugin.json.
 * In a Mach-O file the section is the same, but hosts of this release don't read it there: such a
 * plugin needs the file NAME.grapnel.json next to it. grapnel_add_plugin() writes the source that
 * defines it, grapnel_manifest_note, and defines GRAPNEL_MANIFEST_EMBEDDED.
 */
#ifndef GRAPNEL_NOTE_H_
#define GRAPNEL_NOTE_H_

#define GRAPNEL_NOTE_NAME "Grapnel"   /* 8 bytes with its NUL */
#define GRAPNEL_NOTE_TYPE 0x4752504cu /* "GRPL" */

#if defined(_WIN32)
#define GRAPNEL_MANIFEST_SECTION ".grapnel"
#elif defined(__APPLE__)
#define GRAPNEL_MANIFEST_SECTION "__DATA,__grapnel"
#else
#define GRAPNEL_MANIFEST_SECTION ".note.grapnel"
#endif

/* GRAPNEL_MANIFEST: the value for grapnel_plugin.manifest; NULL in a library built without
 * grapnel_add_plugin(), whose manifest is only the file next to it. */
#if defined(GRAPNEL_MANIFEST_EMBEDDED)
#ifdef __cplusplus
extern "C" {
#endif
#if !defined(_WIN32)
__attribute__((visibility("hidden")))
#endif
extern const unsigned char grapnel_manifest_note[];
#ifdef __cplusplus
}
#endif
#define GRAPNEL_MANIFEST grapnel_manifest_note
#elif defined(__cplusplus)
#define GRAPNEL_MANIFEST nullptr
#else
#define GRAPNEL_MANIFEST ((const void*)0)
#endif

#endif /* GRAPNEL_NOTE_H_ */
