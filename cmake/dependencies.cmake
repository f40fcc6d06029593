# Every dependency is a Debian 12 package; docs/dependencies.md says what each is for.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark QUIET)

add_library(doorbuster_asio INTERFACE)
target_link_libraries(doorbuster_asio INTERFACE Boost::headers Threads::Threads)
