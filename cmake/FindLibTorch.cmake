# Finds LibTorch's CPU part and defines the imported target grapnel::libtorch (torch_cpu and c10 only;
# never libtorch_cuda, which a program that wants a GPU loads at run time).
#
# Searched in this order; the first that exists and is new enough is used:
#   1. LibTorch_ROOT          a CMake variable: -DLibTorch_ROOT=DIR
#   2. CMAKE_PREFIX_PATH      variable or environment
#   3. LIBTORCH               environment
#   4. the one of the last configure
#   5. $XDG_CACHE_HOME/grapnel/<name in libtorch.lock>, where cmake/quickstart.sh unpacks it
#   6. in the installed package: the LibTorch that Grapnel was built with
# DIR is the directory with LibTorch's include and lib (an official zip's `libtorch`, a wheel's `torch`),
# its parent, or its share/cmake, as PyTorch's own documentation passes to CMAKE_PREFIX_PATH.
#
# Sets LibTorch_FOUND, LibTorch_VERSION and LibTorch_DIRECTORY, or LibTorch_NOT_FOUND_MESSAGE.
# find_package(Torch) is not used: it wants the CUDA toolkit when the wheel was built with CUDA, and it
# links libtorch_cuda.

# The version in a directory's headers, or "".
function(_libtorch_version directory result)
  set(version "")
  foreach(header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT version AND EXISTS "${directory}/include/${header}")
      file(STRINGS "${directory}/include/${header}" lines REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      if(lines MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
        set(version "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
      endif()
    endif()
  endforeach()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Why a directory cannot be used, or "".
function(_libtorch_problem directory result)
  set(problem "")
  foreach(file IN ITEMS include/ATen/core/Tensor.h lib/libtorch_cpu.so lib/libc10.so)
    string(REGEX REPLACE "\\.so$" "${CMAKE_SHARED_LIBRARY_SUFFIX}" file "${file}")
    if(NOT problem AND NOT EXISTS "${directory}/${file}")
      set(problem "no ${file}")
    endif()
  endforeach()
  if(NOT problem)
    _libtorch_version("${directory}" version)
    if(NOT version)
      set(problem "no version in include/torch/headeronly/version.h")
    elseif(LibTorch_FIND_VERSION AND version VERSION_LESS LibTorch_FIND_VERSION)
      set(problem "LibTorch ${version}, older than ${LibTorch_FIND_VERSION}")
    elseif(EXISTS "${directory}/share/cmake/Torch/TorchConfig.cmake")
      file(STRINGS "${directory}/share/cmake/Torch/TorchConfig.cmake" old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
      if(old_abi)
        set(problem "LibTorch ${version} built with the old C++ ABI (take the cxx11-abi download)")
      endif()
    endif()
  endif()
  set(${result} "${problem}" PARENT_SCOPE)
endfunction()

# The directories to look at, each with where its name came from, in `directories` and `origins`.
set(_libtorch_directories "")
set(_libtorch_origins "")
macro(_libtorch_look_at origin)
  foreach(_libtorch_directory IN ITEMS ${ARGN})
    list(APPEND _libtorch_directories "${_libtorch_directory}")
    list(APPEND _libtorch_origins "${origin}")
  endforeach()
endmacro()

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/libtorch.lock" _libtorch_name REGEX "^name ")
string(REPLACE "name " "" _libtorch_name "${_libtorch_name}")
if("$ENV{XDG_CACHE_HOME}" MATCHES "^/")
  set(_libtorch_cache "$ENV{XDG_CACHE_HOME}/grapnel/${_libtorch_name}")
else()
  set(_libtorch_cache "$ENV{HOME}/.cache/grapnel/${_libtorch_name}")
endif()
cmake_path(CONVERT "$ENV{CMAKE_PREFIX_PATH}" TO_CMAKE_PATH_LIST _libtorch_prefixes)

_libtorch_look_at("LibTorch_ROOT" ${LibTorch_ROOT})
_libtorch_look_at("CMAKE_PREFIX_PATH" ${CMAKE_PREFIX_PATH} ${_libtorch_prefixes})
_libtorch_look_at("LIBTORCH in the environment" $ENV{LIBTORCH})
_libtorch_look_at("the last configure" ${GRAPNEL_LIBTORCH_FOUND_AT})
_libtorch_look_at("the user's cache" "${_libtorch_cache}")
_libtorch_look_at("the LibTorch that Grapnel was built with" ${_grapnel_built_with_libtorch})

set(LibTorch_DIRECTORY "")
set(_libtorch_tried "")
foreach(_libtorch_directory _libtorch_origin IN ZIP_LISTS _libtorch_directories _libtorch_origins)
  set(_libtorch_reason "no such directory")
  foreach(_libtorch_below IN ITEMS . torch libtorch ../..)
    cmake_path(ABSOLUTE_PATH _libtorch_directory BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" NORMALIZE
      OUTPUT_VARIABLE _libtorch_candidate)
    cmake_path(APPEND _libtorch_candidate "${_libtorch_below}")
    cmake_path(NORMAL_PATH _libtorch_candidate)
    string(REGEX REPLACE "(.)/$" "\\1" _libtorch_candidate "${_libtorch_candidate}")
    if(NOT LibTorch_DIRECTORY AND IS_DIRECTORY "${_libtorch_directory}" AND EXISTS "${_libtorch_candidate}/include/ATen")
      _libtorch_problem("${_libtorch_candidate}" _libtorch_reason)
      if(NOT _libtorch_reason)
        set(LibTorch_DIRECTORY "${_libtorch_candidate}")
        set(_libtorch_found_by "${_libtorch_origin}")
      endif()
    elseif(IS_DIRECTORY "${_libtorch_directory}" AND _libtorch_reason STREQUAL "no such directory")
      set(_libtorch_reason "no include/ATen there, nor in its torch or libtorch")
    endif()
  endforeach()
  string(APPEND _libtorch_tried "\n  ${_libtorch_directory} (${_libtorch_origin}): ${_libtorch_reason}")
endforeach()

if(LibTorch_DIRECTORY)
  set(LibTorch_FOUND TRUE)
  _libtorch_version("${LibTorch_DIRECTORY}" LibTorch_VERSION)
  if(NOT GRAPNEL_LIBTORCH_FOUND_AT STREQUAL LibTorch_DIRECTORY AND NOT LibTorch_FIND_QUIETLY)
    message(STATUS "Found LibTorch ${LibTorch_VERSION}: ${LibTorch_DIRECTORY} (${_libtorch_found_by})")
  endif()
  set(GRAPNEL_LIBTORCH_FOUND_AT "${LibTorch_DIRECTORY}" CACHE INTERNAL "LibTorch of the last configure")
else()
  set(LibTorch_FOUND FALSE)
  string(CONCAT LibTorch_NOT_FOUND_MESSAGE
    "LibTorch ${LibTorch_FIND_VERSION} or newer was not found. Looked at:${_libtorch_tried}\n"
    "Do one of these:\n"
    "  - `bash cmake/quickstart.sh` of Grapnel's sources, which installs ${_libtorch_name} in the user's cache\n"
    "  - pass your own LibTorch: -DCMAKE_PREFIX_PATH=DIR, or LIBTORCH=DIR in the environment\n"
    "  - build without training (plugins and the SDK only): -DGRAPNEL_TRAINING=OFF")
  if(LibTorch_FIND_REQUIRED)
    message(FATAL_ERROR "${LibTorch_NOT_FOUND_MESSAGE}")
  elseif(NOT LibTorch_FIND_QUIETLY)
    message(STATUS "${LibTorch_NOT_FOUND_MESSAGE}")
  endif()
endif()

if(LibTorch_FOUND AND NOT TARGET grapnel::libtorch)
  set(_libtorch_lib "${LibTorch_DIRECTORY}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}")
  add_library(grapnel::libtorch_c10 SHARED IMPORTED)
  set_target_properties(grapnel::libtorch_c10 PROPERTIES
    IMPORTED_LOCATION "${_libtorch_lib}c10${CMAKE_SHARED_LIBRARY_SUFFIX}")
  add_library(grapnel::libtorch_cpu SHARED IMPORTED)
  set_target_properties(grapnel::libtorch_cpu PROPERTIES
    IMPORTED_LOCATION "${_libtorch_lib}torch_cpu${CMAKE_SHARED_LIBRARY_SUFFIX}")
  # Imported, hence SYSTEM: LibTorch's headers raise none of our warnings.
  add_library(grapnel::libtorch INTERFACE IMPORTED)
  # After the system's: LibTorch carries headers of libraries that the project takes from packages (fmt
  # of another major version), and they must not come first.
  if(MSVC)
    target_include_directories(grapnel::libtorch INTERFACE
      "${LibTorch_DIRECTORY}/include" "${LibTorch_DIRECTORY}/include/torch/csrc/api/include")
  else()
    target_compile_options(grapnel::libtorch INTERFACE
      "SHELL:-idirafter ${LibTorch_DIRECTORY}/include"
      "SHELL:-idirafter ${LibTorch_DIRECTORY}/include/torch/csrc/api/include")
  endif()
  target_link_libraries(grapnel::libtorch INTERFACE grapnel::libtorch_cpu grapnel::libtorch_c10)
  # LibTorch is built with NDEBUG, without which its headers declare other layouts (at::RecordFunction has
  # one member more). So everything that includes them needs it, in every configuration.
  target_compile_definitions(grapnel::libtorch INTERFACE
    $<$<NOT:$<CONFIG:Release,RelWithDebInfo,MinSizeRel>>:NDEBUG>)
  # ld.bfd and lld don't follow the RPATH by which a wheel's libtorch_cpu.so finds CUDA's runtime.
  if(IS_DIRECTORY "${LibTorch_DIRECTORY}/../nvidia/cu13/lib")
    cmake_path(SET _libtorch_cuda NORMALIZE "${LibTorch_DIRECTORY}/../nvidia/cu13/lib")
    target_link_options(grapnel::libtorch INTERFACE "LINKER:-rpath-link,${_libtorch_cuda}")
  endif()
  find_package(Threads REQUIRED)
  target_link_libraries(grapnel::libtorch INTERFACE Threads::Threads)
endif()
