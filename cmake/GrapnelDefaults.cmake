# Settings of all targets: language level, optimization, output directories and run paths, the compiler
# cache, the linker, sanitizers, warnings.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
# LibTorch does the arithmetic: -O3 would only make compiling slower.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

# Programs in bin, shared libraries in lib, plugins in plugins.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(GRAPNEL_PLUGIN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/plugins")

# Built programs find the build tree's libraries, installed ones those of their prefix, which may be moved.
# Both find LibTorch where it was at configure time.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
if(NOT APPLE AND NOT WIN32)
  file(RELATIVE_PATH _grapnel_bin_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set(CMAKE_INSTALL_RPATH "$ORIGIN" "$ORIGIN/${_grapnel_bin_to_lib}")
endif()

find_program(GRAPNEL_CCACHE ccache)
mark_as_advanced(GRAPNEL_CCACHE)
if(GRAPNEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${GRAPNEL_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${GRAPNEL_CCACHE}")
endif()
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=mold GRAPNEL_HAVE_MOLD)
if(GRAPNEL_HAVE_MOLD)
  add_link_options($<$<LINK_LANGUAGE:C,CXX>:-fuse-ld=mold>)
endif()

set(GRAPNEL_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
if(GRAPNEL_SANITIZE)
  add_compile_options(-fsanitize=${GRAPNEL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GRAPNEL_SANITIZE})
endif()

# Warnings are a target of the build, never exported to consumers.
add_library(grapnel_warnings INTERFACE)
target_compile_options(grapnel_warnings INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor
    -Woverloaded-virtual -Wconversion -Wno-sign-conversion>
  $<$<COMPILE_LANG_AND_ID:C,GNU,Clang,AppleClang>:-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion>
  $<$<CXX_COMPILER_ID:MSVC>:/W4>)

# The release preset compiles about a dozen files of a target as one (CMake's unity build), which halves a
# full build: the inline code of shared headers is instantiated once for all of them. So names in anonymous
# namespaces must be unique within a target. Files with the heaviest headers come first, so that few of
# those units include them.
function(grapnel_heaviest_first list_of_sources)
  set(heaviest "")
  set(heavy "")
  set(light "")
  foreach(source IN LISTS ${list_of_sources})
    file(STRINGS "${source}" torch REGEX "#include (<torch/|\".*torch_optim)" LIMIT_COUNT 1)
    file(STRINGS "${source}" aten REGEX "#include <ATen/" LIMIT_COUNT 1)
    if(torch)
      list(APPEND heaviest "${source}")
    elseif(aten)
      list(APPEND heavy "${source}")
    else()
      list(APPEND light "${source}")
    endif()
  endforeach()
  set(${list_of_sources} ${heaviest} ${heavy} ${light} PARENT_SCOPE)
endfunction()

# Precompiled headers make a full build two to three times as fast. They are on in the presets, and off
# elsewhere, where a compiler cache makes repeated builds faster.
option(GRAPNEL_PCH "Precompile the headers that most files of a folder include" OFF)
function(grapnel_precompile target)
  if(GRAPNEL_PCH)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()
