# SPDX-License-Identifier: Apache-2.0
# The daemon as a process: kills, resizes under load, reloads, drains. One executable each, because
# their time limits differ; the support file is compiled once.
add_library(engine_support STATIC engine_client.cpp)
target_include_directories(engine_support PUBLIC ${PROJECT_SOURCE_DIR}/tests/support)
target_link_libraries(engine_support PUBLIC zokio_proto GTest::gtest PRIVATE zokio_flags)
foreach(name crash_recovery resize_under_load reload_drain)
  set(more "")
  if(name STREQUAL "crash_recovery")
    set(more SQLite::SQLite3)
  endif()
  zokio_test(${name}_test SOURCES ${name}_test.cpp LIBRARIES engine_support ${more}
    LABELS integration TIMEOUT 300 WITHOUT_URING)
  add_dependencies(${name}_test zokiod)
endforeach()
