# A copy of plugin-sdk as a later minor might be: each growable struct is 8 bytes longer, and the ABI's minor
# is one more. Its default target stays the lowest minor, as a later SDK's would.
#
#   grapnel_longer_sdk(DIRECTORY)     makes DIRECTORY/plugin-sdk
#
# A growable struct is one that begins with struct_size; grapnel/abi.h has the rules.
include_guard(GLOBAL)

function(grapnel_longer_sdk directory)
  set(sdk "${PROJECT_SOURCE_DIR}/plugin-sdk")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${sdk}" "${sdk}/include/*")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
  set(growable "")
  foreach(header IN LISTS headers)
    file(READ "${sdk}/${header}" text)
    string(REGEX MATCHALL "struct grapnel_[A-Za-z_]+ {\n  uint32_t struct_size;" found "${text}")
    string(REGEX REPLACE "struct (grapnel_[A-Za-z_]+) {[^;]*;" "\\1" found "${found}")
    list(APPEND growable ${found})
  endforeach()
  list(LENGTH growable count)
  if(count LESS 40)
    message(FATAL_ERROR "only ${count} growable structs were found in ${sdk}; is the pattern still right?")
  endif()

  foreach(header IN LISTS headers)
    file(READ "${sdk}/${header}" text)
    string(REGEX REPLACE "(struct grapnel_[A-Za-z_]+ {\n  uint32_t struct_size;[^}]*)}" "\\1  uint64_t appended;\n}"
      text "${text}")
    string(REGEX MATCH "#define GRAPNEL_ABI_MINOR ([0-9]+)" minor_line "${text}")
    if(minor_line)
      math(EXPR minor "${CMAKE_MATCH_1} + 1")
      string(REPLACE "${minor_line}" "#define GRAPNEL_ABI_MINOR ${minor}" text "${text}")
    endif()
    foreach(name IN LISTS growable)
      # Of a struct that has grown, one size for each target; the largest first, so that none is changed twice.
      string(REGEX MATCHALL "GRAPNEL_SIZE\\(${name}, [0-9]+\\)" pins "${text}")
      list(SORT pins COMPARE NATURAL ORDER DESCENDING)
      foreach(pin IN LISTS pins)
        string(REGEX MATCH "[0-9]+\\)$" size "${pin}")
        string(REPLACE ")" "" size "${size}")
        math(EXPR size "${size} + 8")
        string(REPLACE "${pin}" "GRAPNEL_SIZE(${name}, ${size})" text "${text}")
      endforeach()
    endforeach()
    file(CONFIGURE OUTPUT "${directory}/plugin-sdk/${header}" CONTENT "${text}" @ONLY)
  endforeach()
  configure_file("${sdk}/CMakeLists.txt" "${directory}/plugin-sdk/CMakeLists.txt" COPYONLY)
  file(COPY "${sdk}/template" "${sdk}/testkit" "${sdk}/MANIFEST.md" DESTINATION "${directory}/plugin-sdk")
endfunction()
