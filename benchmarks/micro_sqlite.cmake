add_executable(micro_sqlite micro_sqlite.cpp)
target_link_libraries(micro_sqlite PRIVATE sqlite_adapter worker_service benchmark::benchmark benchmark::benchmark_main)
