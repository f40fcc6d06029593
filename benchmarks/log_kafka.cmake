add_executable(log_kafka log_kafka.cpp)
target_include_directories(log_kafka PRIVATE ${CMAKE_SOURCE_DIR})
target_link_libraries(log_kafka PRIVATE kafka_adapter runtime)
