# The server alone; benchmarks/floor.py measures it beside nginx.
add_executable(floor_server ${CMAKE_CURRENT_LIST_DIR}/floor_server.cpp)
target_link_libraries(floor_server PRIVATE net)
