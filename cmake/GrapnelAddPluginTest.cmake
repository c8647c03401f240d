# grapnel_add_plugin_test(NAME SOURCE... PLUGIN TARGET [LIBRARIES LIBRARY...])
#
# Builds a test of a plugin on the SDK's test kit, a host without LibTorch, and adds it to CTest as NAME.
#
#   PLUGIN       the target of grapnel_add_plugin(); the test finds its library by the macro PLUGIN_FILE
#   LIBRARIES    what the test links besides, a test framework for instance: with a main() of their own
#                they replace the kit's
#
# The kit is built from its sources, once a project, by the project's compiler. Its documentation is its
# README.md and <grapnel/testkit.hpp>. Tests are run where CTest is enabled: enable_testing().
include_guard(GLOBAL)

function(grapnel_add_plugin_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PLUGIN" "LIBRARIES")
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "grapnel_add_plugin_test(${name}): no sources")
  endif()
  if(NOT arg_PLUGIN OR NOT TARGET ${arg_PLUGIN})
    message(FATAL_ERROR "grapnel_add_plugin_test(${name}): PLUGIN is \"${arg_PLUGIN}\", which is no target; "
      "name the target that grapnel_add_plugin() made, and call it first")
  endif()
  if(NOT CMAKE_CXX_COMPILER_LOADED)
    message(FATAL_ERROR "grapnel_add_plugin_test(${name}): the test kit is C++, which is not enabled here; "
      "write project(${PROJECT_NAME} LANGUAGES C CXX)")
  endif()
  _grapnel_build_testkit()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} grapnel::testkit)
  target_compile_definitions(${name} PRIVATE PLUGIN_FILE="$<TARGET_FILE:${arg_PLUGIN}>")
  add_dependencies(${name} ${arg_PLUGIN})
  add_test(NAME ${name} COMMAND ${name})
endfunction()

function(_grapnel_build_testkit)
  if(TARGET grapnel::testkit)
    return()
  endif()
  set(kit "${GRAPNEL_TESTKIT_DIRECTORY}")
  file(GLOB sources "${kit}/src/*.cpp")
  if(NOT sources)
    message(FATAL_ERROR "the test kit of Grapnel is not in ${kit}; install the component plugin_sdk again")
  endif()
  add_library(grapnel_testkit STATIC EXCLUDE_FROM_ALL ${sources})
  # main.cpp is a file of its own, so that a program with its own main() does not link it.
  set_target_properties(grapnel_testkit PROPERTIES UNITY_BUILD OFF)
  add_library(grapnel::testkit ALIAS grapnel_testkit)
  target_include_directories(grapnel_testkit PUBLIC "${kit}/include")
  target_compile_features(grapnel_testkit PUBLIC cxx_std_17)
  target_compile_definitions(grapnel_testkit PUBLIC GRAPNEL_ABI_TARGET=GRAPNEL_ABI_MINOR)
  find_package(Threads REQUIRED)
  target_link_libraries(grapnel_testkit PUBLIC grapnel::plugin_sdk Threads::Threads ${CMAKE_DL_LIBS})
endfunction()
