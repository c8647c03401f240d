# grapnel_add_test(NAME SOURCE... [PROGRAM name] [LIBS lib...] [DEPENDS target...]
#                  [DEFINITIONS NAME=value...] [ENVIRONMENT NAME=value...] [TIMEOUT seconds]
#                  [LABELS label...])
#
# One test file, one ctest, one target of the same name:
#
#   grapnel_add_test(run_json_test run_json_test.cpp LIBS grapnel::base)
#
# The files of a folder are one program, `tests/bin/FOLDER_tests`: the release preset compiles several of
# them together, which takes a quarter of the time. Hence each file has its own namespace, named like the
# file. ctest runs the test cases of each file in a separate process.
#
# PROGRAM      another program than the folder's, for files with other libraries
# LIBS         what the test links in addition to Catch2 and tests/support
# DEPENDS      targets that the test runs or loads (programs, plugins); built with it
# DEFINITIONS  compile definitions, for instance EMA_PLUGIN="$<TARGET_FILE:ema>"; of the whole program
# TIMEOUT      seconds until ctest gives up; 120 by default; with sanitizers five times as many
# LABELS       for `ctest -L`, in addition to the folder's name

# The environment of every test: no settings of the user, one thread per process because ctest runs many in
# parallel.
function(grapnel_test_properties name)
  cmake_parse_arguments(arg "" "TIMEOUT" "ENVIRONMENT;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(GRAPNEL_SANITIZE)
    math(EXPR arg_TIMEOUT "5 * ${arg_TIMEOUT}")
  endif()
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  set(home "${PROJECT_BINARY_DIR}/tests/home/${name}")
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${arg_TIMEOUT}
    LABELS "${folder};${arg_LABELS}"
    ENVIRONMENT "HOME=${home};XDG_CONFIG_HOME=${home}/config;XDG_DATA_HOME=${home}/data;XDG_CACHE_HOME=${home}/cache;XDG_STATE_HOME=${home}/state;OMP_NUM_THREADS=1;${arg_ENVIRONMENT}"
    ENVIRONMENT_MODIFICATION "GRAPNEL_PLUGINS=unset:;GRAPNEL_PLUGIN_PATH=unset:")
endfunction()

# Tests include the same few heavy headers: compiled once for those that link core, once for the others.
# The header belongs to a small program, because a test can only reuse one compiled with its own options.
set(GRAPNEL_TEST_SUPPORT_DIRECTORY "${CMAKE_CURRENT_LIST_DIR}")
function(grapnel_reuse_test_headers name)
  if(NOT GRAPNEL_PCH OR NOT "${ARGN}" MATCHES "grapnel::(base|host|core|bridge)")
    return()
  endif()
  set(lib grapnel::base)
  set(headers "${GRAPNEL_TEST_SUPPORT_DIRECTORY}/catch.h" <filesystem> <fstream> <functional> <map> <memory>
    <optional> <string> <vector>)
  if("grapnel::core" IN_LIST ARGN OR "grapnel::bridge" IN_LIST ARGN)
    set(lib grapnel::core)
    list(APPEND headers <grapnel/trainer.h>)
  endif()
  string(REPLACE "::" "_" holder "${lib}_test_headers")
  if(NOT TARGET ${holder})
    add_executable(${holder} "${GRAPNEL_TEST_SUPPORT_DIRECTORY}/headers.cpp")
    target_link_libraries(${holder} PRIVATE ${lib} grapnel_test_support grapnel_warnings)
    target_compile_options(${holder} PRIVATE -O0)
    set_target_properties(${holder} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
    target_precompile_headers(${holder} PRIVATE ${headers})
  endif()
  target_precompile_headers(${name} REUSE_FROM ${holder})
endfunction()

# A program that tests run.
function(grapnel_add_test_helper name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} grapnel_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
  if(NOT MSVC)
    target_compile_options(${name} PRIVATE -O0)
    grapnel_reuse_test_headers(${name} ${arg_LIBS})
  endif()
endfunction()

# The program of a folder's tests, added with the first of them.
function(grapnel_test_program program)
  if(TARGET ${program})
    return()
  endif()
  add_executable(${program})
  target_link_libraries(${program} PRIVATE grapnel_test_support grapnel_warnings)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
  if(NOT MSVC)
    # The last -O wins: what is tested stays optimized, the tests themselves compile a third faster.
    target_compile_options(${program} PRIVATE -O0)
    grapnel_reuse_test_headers(${program} ${ARGN})
  endif()
endfunction()

function(grapnel_add_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;PROGRAM" "LIBS;DEPENDS;DEFINITIONS;ENVIRONMENT;LABELS" ${ARGN})
  set(program "${arg_PROGRAM}")
  if(NOT program)
    get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    set(program "${folder}_tests")
  endif()
  grapnel_test_program(${program} ${arg_LIBS})
  target_sources(${program} PRIVATE ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${program} PRIVATE ${arg_LIBS})
  target_compile_definitions(${program} PRIVATE ${arg_DEFINITIONS})
  if(arg_DEPENDS)
    add_dependencies(${program} ${arg_DEPENDS})
  endif()
  add_custom_target(${name} DEPENDS ${program})
  list(GET arg_UNPARSED_ARGUMENTS 0 source)
  get_filename_component(file "${source}" NAME_WE)
  add_test(NAME ${name} COMMAND ${program} --filenames-as-tags --warn NoTests "[#${file}]")
  grapnel_test_properties(${name} TIMEOUT ${arg_TIMEOUT} ENVIRONMENT ${arg_ENVIRONMENT}
    LABELS ${arg_LABELS})
endfunction()
