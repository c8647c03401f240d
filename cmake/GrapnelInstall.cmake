# Installation, and the package that find_package(grapnel) reads. Two components, so that plugin authors
# need neither LibTorch nor our libraries:
#
#   cmake --install build/release --component plugin_sdk    headers, test kit, the package
#   cmake --install build/release                           all: also libraries, programs and plugins
#
# The top of grapnelConfig.cmake.in says what the package offers. Programs and plugins are installed by the
# folders that build them. The targets `programs` and `plugins` build all that is installed, so that it can
# be installed after quickstart.sh (tests/cmake/install_test.sh).
include(CMakePackageConfigHelpers)
set(GRAPNEL_INSTALL_CMAKEDIR "${CMAKE_INSTALL_LIBDIR}/cmake/grapnel")

# grapnel_install_libraries(EXPORT COMPONENT (NAME INCLUDE-DIRECTORY)...): grapnel::NAME of each with its
# public headers; those that this build lacks are left out.
function(grapnel_install_libraries export component)
  set(exported FALSE)
  while(ARGN)
    list(POP_FRONT ARGN name include_directory)
    if(TARGET grapnel::${name})
      set(exported TRUE)
      get_target_property(target grapnel::${name} ALIASED_TARGET)
      set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
      # Consumers don't get our warnings, which are not exported.
      get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
      if(links)
        list(REMOVE_ITEM links grapnel_warnings "$<LINK_ONLY:grapnel_warnings>")
        set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${links}")
      endif()
      install(TARGETS ${target} EXPORT ${export}
        RUNTIME COMPONENT ${component} LIBRARY COMPONENT ${component} ARCHIVE COMPONENT ${component}
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
      install(DIRECTORY "${PROJECT_SOURCE_DIR}/${include_directory}/"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT ${component}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp" PATTERN "*.def")
    endif()
  endwhile()
  if(exported)
    install(EXPORT ${export} NAMESPACE grapnel:: DESTINATION "${GRAPNEL_INSTALL_CMAKEDIR}"
      COMPONENT ${component})
  endif()
endfunction()

grapnel_install_libraries(grapnelSdk plugin_sdk
  plugin_sdk plugin-sdk/include)
grapnel_install_libraries(grapnelLibraries libraries
  base core/base/include
  host host/include)
grapnel_install_libraries(grapnelTraining libraries
  core core/include
  bridge host/bridge/include)

# What the static libraries among them need to be linked.
set(GRAPNEL_LIBRARIES_NEED "\"fmt 9\" OpenSSL Threads")
# Below package/, where find_package() doesn't look: the package works only where it is installed.
set(package "${PROJECT_BINARY_DIR}/package")
set(GRAPNEL_INSTALL_TESTKITDIR "${CMAKE_INSTALL_DATADIR}/grapnel/testkit")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/grapnelConfig.cmake.in"
  "${package}/grapnelConfig.cmake" INSTALL_DESTINATION "${GRAPNEL_INSTALL_CMAKEDIR}"
  PATH_VARS GRAPNEL_INSTALL_TESTKITDIR)
write_basic_package_version_file("${package}/grapnelConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${package}/grapnelConfig.cmake"
  "${package}/grapnelConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/GrapnelAddPlugin.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/GrapnelAddPluginTest.cmake"
  DESTINATION "${GRAPNEL_INSTALL_CMAKEDIR}" COMPONENT plugin_sdk)
install(FILES "${CMAKE_CURRENT_LIST_DIR}/FindLibTorch.cmake" "${CMAKE_CURRENT_LIST_DIR}/libtorch.lock"
  DESTINATION "${GRAPNEL_INSTALL_CMAKEDIR}" COMPONENT libraries)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT plugin_sdk)
