# penumbra_module(): one call makes a module's library, its tests, its fuzzers and its layer check, so that the link
# line is the architecture (docs/architecture.md, "Layers").

option(PENUMBRA_TESTS "Build the unit tests" ON)
option(PENUMBRA_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(PENUMBRA_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, empty for none")

add_library(penumbra_options INTERFACE)
target_include_directories(penumbra_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(penumbra_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  -fno-omit-frame-pointer -fno-strict-aliasing
  $<$<CXX_COMPILER_ID:GNU>:-fcoroutines;-Wno-missing-field-initializers>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-field-initializers;-Wno-gnu-statement-expression>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Both are wrong about std::variant, std::string and coroutine frames in GCC 12 once things are inlined (GCC bugs 105562, 105329).
  target_compile_options(penumbra_options INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # -g1 keeps line tables for profiles and crash reports at a third of the size and build time of full -g.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
endif()
if(PENUMBRA_SANITIZE)
  target_compile_options(penumbra_options INTERFACE -fsanitize=${PENUMBRA_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(penumbra_options INTERFACE -fsanitize=${PENUMBRA_SANITIZE})
  # Named faults (base/inject.h) exist where tests run, not in what ships.
  target_compile_definitions(penumbra_options INTERFACE PENUMBRA_FAULTS)
endif()
if(PENUMBRA_FUZZ)
  target_compile_options(penumbra_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# penumbra_module(NAME USES module... LIBS third-party...)
# NAME is the folder below src/. A part of a module is named with its path (cql/types) and makes penumbra_cql_types.
# Sources are *.cc of the folder and of its sub-folders, except tests/, bench/ and fuzz/. tests/*_test.cc become one test
# program NAME_test; each fuzz/*_fuzz.cc becomes one fuzzer of its own name.
function(penumbra_module path)
  string(REPLACE "/" "_" name ${path})
  string(REGEX REPLACE "/.*" "" layer ${path})
  cmake_parse_arguments(ARG "" "" "USES;LIBS;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cc *.h)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(^|/)(tests|bench|fuzz)/|(^|/)main\\.cc$")
  set(compiled ${sources})
  list(FILTER compiled INCLUDE REGEX "\\.cc$")
  set(headers ${sources})
  list(FILTER headers INCLUDE REGEX "\\.h$")
  list(TRANSFORM ARG_USES PREPEND penumbra_ OUTPUT_VARIABLE uses)
  list(TRANSFORM uses REPLACE "/" "_")
  if(compiled)
    add_library(penumbra_${name} STATIC ${compiled})
    target_link_libraries(penumbra_${name} PUBLIC penumbra_options ${uses} PRIVATE ${ARG_LIBS})
    # Headers compile alone: built by the all_verify_interface_header_sets target (./test --only headers).
    target_sources(penumbra_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${headers})
    set_target_properties(penumbra_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  else()
    message(FATAL_ERROR "module ${name} has no .cc file")
  endif()

  set(stamp ${CMAKE_CURRENT_BINARY_DIR}/layers.stamp)
  add_custom_command(OUTPUT ${stamp}
    COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/check-layers ${CMAKE_CURRENT_SOURCE_DIR} --module ${layer} --uses "${ARG_USES}"
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${all} ${CMAKE_SOURCE_DIR}/tools/check-layers ${CMAKE_CURRENT_SOURCE_DIR}/CMakeLists.txt
    COMMENT "Layers of ${name}" VERBATIM)
  add_custom_target(layers_${name} DEPENDS ${stamp})
  add_dependencies(penumbra_${name} layers_${name})

  if(PENUMBRA_TESTS)
    set(tests ${all})
    list(FILTER tests INCLUDE REGEX "(^|/)tests/.*\\.(cc)$")
    if(tests)
      add_executable(${name}_test ${tests})
      target_link_libraries(${name}_test PRIVATE penumbra_${name} ${ARG_LIBS} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
      add_test(NAME ${name} COMMAND ${name}_test)
      set_tests_properties(${name} PROPERTIES TIMEOUT 300
        ENVIRONMENT "PENUMBRA_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
    endif()
  endif()
  if(PENUMBRA_FUZZ)
    set(fuzzers ${all})
    list(FILTER fuzzers INCLUDE REGEX "(^|/)fuzz/.*_fuzz\\.cc$")
    foreach(source ${fuzzers})
      get_filename_component(fuzzer ${source} NAME_WE)
      add_executable(${fuzzer} ${source})
      target_link_libraries(${fuzzer} PRIVATE penumbra_${name} ${ARG_LIBS})
      target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()
