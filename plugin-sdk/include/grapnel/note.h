/* How plugin.json stands inside a plugin's library, to be read from the file without loading it.
 *
 * On ELF it is a note: section GRAPNEL_MANIFEST_SECTION, name "Grapnel", type GRAPNEL_NOTE_TYPE, the
 * description the bytes of plugin.json. Elsewhere the section holds the same struct. grapnel_add_plugin()
 * writes the source that defines grapnel_manifest_note. */
#ifndef GRAPNEL_NOTE_H_
#define GRAPNEL_NOTE_H_

#define GRAPNEL_NOTE_NAME "Grapnel" /* 8 bytes with its NUL */
#define GRAPNEL_NOTE_TYPE 0x4752504cu /* "GRPL" */

#if defined(_WIN32)
#define GRAPNEL_MANIFEST_SECTION ".grapnel"
#elif defined(__APPLE__)
#define GRAPNEL_MANIFEST_SECTION "__DATA,__grapnel"
#else
#define GRAPNEL_MANIFEST_SECTION ".note.grapnel"
#endif

#endif /* GRAPNEL_NOTE_H_ */
