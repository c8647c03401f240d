# Included: adds the digits data set to the library. Run as a script, it writes files as a C++ source:
#
#   cmake -DOUTPUT=digits_data.cpp -DDIRECTORY=... -P embed.cmake
#
# Hexadecimal numbers compile with every compiler; .incbin and #embed do not.
set(files images labels)
set(images_file digits-images-idx3-ubyte)
set(labels_file digits-labels-idx1-ubyte)

if(CMAKE_SCRIPT_MODE_FILE)
  set(source "#include \"data/digits_data.h\"\n\nnamespace grapnel {\n\nnamespace {\n")
  foreach(name IN LISTS files)
    file(READ "${DIRECTORY}/${${name}_file}" bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND source "constexpr unsigned char k_${name}[] = {${bytes}};\n")
  endforeach()
  string(APPEND source "}  // namespace\n\n")
  foreach(name IN LISTS files)
    string(APPEND source
      "std::span<const std::byte> digits_${name}() { return std::as_bytes(std::span(k_${name})); }\n")
  endforeach()
  file(WRITE "${OUTPUT}" "${source}\n}  // namespace grapnel\n")
  return()
endif()

set(digits_source "${CMAKE_CURRENT_BINARY_DIR}/digits_data.cpp")
add_custom_command(OUTPUT "${digits_source}"
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${digits_source} -DDIRECTORY=${CMAKE_CURRENT_LIST_DIR}
    -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS "${CMAKE_CURRENT_LIST_FILE}" "${CMAKE_CURRENT_LIST_DIR}/${images_file}"
    "${CMAKE_CURRENT_LIST_DIR}/${labels_file}"
  COMMENT "Embedding the digits data set"
  VERBATIM)
target_sources(grapnel_core PRIVATE "${digits_source}")
