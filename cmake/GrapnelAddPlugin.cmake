# grapnel_add_plugin(NAME SOURCE... [MANIFEST FILE] [LIBRARIES LIBRARY...] [DESTINATION DIR] [NO_INSTALL])
#
# Builds a plugin of Grapnel: the target NAME, a library NAME.so (.dll, .dylib) that any host of the same
# ABI can load. The library contains its manifest, which is also written next to it as NAME.grapnel.json.
#
#   MANIFEST     plugin.json of this folder by default; the format is in the SDK's MANIFEST.md. Its id is
#                NAME, or ends in ".NAME"
#   LIBRARIES    what the plugin links, preferably static, so that the plugin is one file
#   DESTINATION  where to install, lib/grapnel/plugins by default
#   NO_INSTALL   for tests
#
# The library is sealed, so that it doesn't interfere with other libraries in the process: it exports only
# its entry, carries its own C++ runtime (libstdc++ or libc++), resolves everything when
# it is linked, and has no symbols that the loader unifies across libraries. GRAPNEL_PLUGIN_OUTPUT_DIRECTORY
# says where to build it; else the current binary directory.
include_guard(GLOBAL)
include(GNUInstallDirs)

function(grapnel_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "MANIFEST;DESTINATION" "LIBRARIES")
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "grapnel_add_plugin(${name}): no sources")
  endif()
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST plugin.json)
  endif()
  get_filename_component(manifest "${arg_MANIFEST}" ABSOLUTE)
  _grapnel_check_manifest(${name} "${manifest}" abi_target)
  _grapnel_write_note(${name} "${manifest}" note_source)

  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS} "${note_source}")
  target_link_libraries(${name} PRIVATE grapnel::plugin_sdk ${arg_LIBRARIES})
  target_compile_definitions(${name} PRIVATE
    GRAPNEL_MANIFEST_EMBEDDED GRAPNEL_ABI_TARGET=${abi_target})
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_17)
  endif()

  set(output "${GRAPNEL_PLUGIN_OUTPUT_DIRECTORY}")
  if(NOT output)
    set(output "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  set(suffix "${CMAKE_SHARED_MODULE_SUFFIX}")
  if(APPLE)
    set(suffix ".dylib")
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX "${suffix}" DEBUG_POSTFIX ""
    LIBRARY_OUTPUT_DIRECTORY "${output}"
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH ""
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  _grapnel_seal(${name})

  # The same bytes next to the library, as for an installed plugin.
  add_custom_command(TARGET ${name} POST_BUILD VERBATIM
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different
      "${manifest}" "$<TARGET_FILE_DIR:${name}>/${name}.grapnel.json")

  if(NOT arg_NO_INSTALL)
    set(destination "${arg_DESTINATION}")
    if(NOT destination)
      set(destination "${CMAKE_INSTALL_LIBDIR}/grapnel/plugins")
    endif()
    install(TARGETS ${name} LIBRARY DESTINATION "${destination}" COMPONENT plugins)
    install(FILES "${manifest}" RENAME "${name}.grapnel.json" DESTINATION "${destination}"
      COMPONENT plugins)
  endif()
endfunction()

# Checks of a manifest that need no host: `grapnel plugin validate` does the rest. Sets target_variable to
# the ABI minor that the plugin is written for.
function(_grapnel_check_manifest name manifest target_variable)
  if(NOT EXISTS "${manifest}")
    message(FATAL_ERROR "grapnel_add_plugin(${name}): ${manifest} doesn't exist; every plugin needs one")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${manifest}")
  file(SIZE "${manifest}" size)
  if(size GREATER 262144)
    message(FATAL_ERROR "${manifest}: ${size} bytes; a manifest has at most 262144")
  endif()
  file(READ "${manifest}" json)
  string(JSON kind ERROR_VARIABLE error TYPE "${json}")
  if(error)
    message(FATAL_ERROR "${manifest} is not JSON: ${error}")
  endif()
  foreach(key IN ITEMS manifest_version id version)
    string(JSON ${key} ERROR_VARIABLE error GET "${json}" ${key})
    if(error)
      message(FATAL_ERROR "${manifest}: it has no \"${key}\"")
    endif()
  endforeach()
  if(NOT manifest_version EQUAL 1)
    message(FATAL_ERROR "${manifest}: manifest_version is ${manifest_version}; this release writes 1")
  endif()

  string(LENGTH "${id}" id_length)
  if(NOT id MATCHES "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$" OR id_length GREATER 64)
    message(FATAL_ERROR "${manifest}: id \"${id}\" is not acceptable; it is made of a-z, 0-9 and _, with "
      "dots between parts, begins with a letter, and has at most 64 characters")
  endif()
  string(REGEX REPLACE "^.*\\." "" last_part "${id}")
  if(NOT last_part STREQUAL name)
    message(FATAL_ERROR "${manifest}: id is \"${id}\", but the library is called ${name}; the id is "
      "\"${name}\", or ends in \".${name}\", so that people find one by the other")
  endif()
  if(NOT version MATCHES "^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$")
    message(FATAL_ERROR "${manifest}: version \"${version}\" is not MAJOR.MINOR.PATCH (semver.org)")
  endif()

  get_target_property(sdk_major grapnel::plugin_sdk GRAPNEL_ABI_MAJOR)
  get_target_property(sdk_minor grapnel::plugin_sdk GRAPNEL_ABI_MINOR)
  get_target_property(sdk_lowest grapnel::plugin_sdk GRAPNEL_ABI_LOWEST_MINOR)
  _grapnel_abi_minor("${json}" ${sdk_major} minor)
  if(NOT minor MATCHES "^[0-9]+$" OR minor LESS sdk_lowest OR minor GREATER sdk_minor)
    set(range "${sdk_major}.${sdk_lowest} to ${sdk_major}.${sdk_minor}")
    if(sdk_lowest EQUAL sdk_minor)
      set(range "${sdk_major}.${sdk_minor}")
    endif()
    message(FATAL_ERROR "${manifest}: \"abi\" is the ABI that the plugin is written for, and this SDK "
      "speaks ${range}; write \"abi\": {\"major\": ${sdk_major}, \"minor\": ${sdk_lowest}}, and a higher "
      "minor only where the plugin needs what that one added")
  endif()
  set(${target_variable} ${minor} PARENT_SCOPE)

  string(JSON callbacks ERROR_VARIABLE error LENGTH "${json}" callbacks)
  if(error)
    message(FATAL_ERROR "${manifest}: it has no list \"callbacks\"; a library without any has an empty one")
  endif()
  if(callbacks EQUAL 0)
    return()
  endif()
  math(EXPR last "${callbacks} - 1")
  foreach(i RANGE ${last})
    string(JSON callback ERROR_VARIABLE error GET "${json}" callbacks ${i} name)
    if(error OR callback STREQUAL "")
      message(FATAL_ERROR "${manifest}: callback number ${i} has no \"name\"")
    endif()
  endforeach()
endfunction()

# The minor that the manifest names for the ABI's major, in "abi": one version, or a list of them.
function(_grapnel_abi_minor json major minor_variable)
  set(minor "")
  string(JSON kind ERROR_VARIABLE error TYPE "${json}" abi)
  if(kind STREQUAL "ARRAY")
    string(JSON count LENGTH "${json}" abi)
    set(i 0)
    while(i LESS count)
      string(JSON this_major ERROR_VARIABLE error GET "${json}" abi ${i} major)
      if(this_major STREQUAL major)
        string(JSON minor ERROR_VARIABLE error GET "${json}" abi ${i} minor)
      endif()
      math(EXPR i "${i} + 1")
    endwhile()
  else()
    string(JSON this_major ERROR_VARIABLE error GET "${json}" abi major)
    if(this_major STREQUAL major)
      string(JSON minor ERROR_VARIABLE error GET "${json}" abi minor)
    endif()
  endif()
  set(${minor_variable} "${minor}" PARENT_SCOPE)
endfunction()

# Writes the source that puts the manifest into the library; grapnel/note.h describes the bytes.
function(_grapnel_write_note name manifest source_variable)
  file(READ "${manifest}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(..)" "0x\\1," body "${hex}")
  string(REGEX REPLACE "(................................................................................)"
    "\\1\n" body "${body}")
  # A note's parts are padded to 4 bytes.
  math(EXPR padding "(4 - ${size} % 4) % 4")
  string(REPEAT "0," ${padding} padding)
  set(size_bytes "")
  foreach(shift IN ITEMS 0 8 16 24)
    math(EXPR byte "(${size} >> ${shift}) & 255")
    string(APPEND size_bytes "${byte},")
  endforeach()

  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    set(extension cpp)
  else()
    set(extension c)
  endif()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}_manifest.${extension}")
  set(content "/* plugin.json of ${name}, made by grapnel_add_plugin(). */
#include <grapnel/note.h>

#if defined(_MSC_VER)
#pragma section(GRAPNEL_MANIFEST_SECTION, read)
__declspec(allocate(GRAPNEL_MANIFEST_SECTION))
#else
__attribute__((section(GRAPNEL_MANIFEST_SECTION), aligned(4), used))
#endif
const unsigned char grapnel_manifest_note[] = {
8,0,0,0, ${size_bytes} 0x4c,0x50,0x52,0x47, 'G','r','a','p','n','e','l',0,
${body}${padding}};
")
  file(CONFIGURE OUTPUT "${source}" CONTENT "${content}" @ONLY)
  set_source_files_properties("${source}" PROPERTIES
    SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON)
  set(${source_variable} "${source}" PARENT_SCOPE)
endfunction()

function(_grapnel_seal name)
  get_target_property(major grapnel::plugin_sdk GRAPNEL_ABI_MAJOR)
  set(entry grapnel_plugin_v${major})
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(compiler "${CMAKE_CXX_COMPILER_ID}")
  if(NOT "CXX" IN_LIST languages)
    set(compiler "${CMAKE_C_COMPILER_ID}")
  endif()

  if(MSVC)
    set_target_properties(${name} PROPERTIES
      MSVC_RUNTIME_LIBRARY "MultiThreaded$<$<CONFIG:Debug>:Debug>")
    return()
  endif()
  if(APPLE)  # the system's libc++ is the only one, and part of its ABI
    target_link_options(${name} PRIVATE "LINKER:-exported_symbol,_${entry}")
    return()
  endif()

  if(compiler STREQUAL "GNU")
    target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>")
  endif()
  if(WIN32)  # MinGW: the entry is exported by its attribute
    target_link_options(${name} PRIVATE -static)
    return()
  endif()

  set(script "${CMAKE_CURRENT_BINARY_DIR}/${name}.map")
  file(CONFIGURE OUTPUT "${script}" CONTENT "{\n  global: ${entry};\n  local: *;\n};\n" @ONLY)
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${script}")
  target_link_options(${name} PRIVATE
    "LINKER:--version-script=${script}" "LINKER:-z,now" "LINKER:--as-needed")

  # A sanitizer's runtime is the program's, and wants to see the C++ runtime's calls.
  get_target_property(link_options ${name} LINK_OPTIONS)
  if("${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${link_options}" MATCHES "-fsanitize" AND
      NOT "${link_options}" MATCHES "-fno-sanitize=all")
    return()
  endif()
  target_link_options(${name} PRIVATE "LINKER:-z,defs" -static-libgcc)
  if("CXX" IN_LIST languages)
    _grapnel_uses_libcxx(uses_libcxx)
    if(uses_libcxx)
      # -static-libstdc++ alone leaves out libc++abi.
      target_link_options(${name} PRIVATE "$<$<LINK_LANGUAGE:CXX>:-nostdlib++>")
      target_link_libraries(${name} PRIVATE
        "$<$<LINK_LANGUAGE:CXX>:-Wl,-Bstatic,-lc++,-lc++abi,-Bdynamic>")
    else()
      target_link_options(${name} PRIVATE "$<$<LINK_LANGUAGE:CXX>:-static-libstdc++>")
    endif()
  endif()
endfunction()

function(_grapnel_uses_libcxx result)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    include(CheckCXXSourceCompiles)
    check_cxx_source_compiles("
      #include <cstddef>
      #ifndef _LIBCPP_VERSION
      #error another standard library
      #endif
      int main() {}" GRAPNEL_PLUGIN_USES_LIBCXX)
  endif()
  set(${result} "${GRAPNEL_PLUGIN_USES_LIBCXX}" PARENT_SCOPE)
endfunction()
