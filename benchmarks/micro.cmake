# What one decision costs, without network and disk. Not a test: its figures are read by people.
if(benchmark_FOUND)
  add_executable(micro_core ${CMAKE_CURRENT_LIST_DIR}/micro_core.cpp)
  target_link_libraries(micro_core PRIVATE memory_adapter event_proto benchmark::benchmark)
endif()
