# Heartbeats for benchmarks/registry.py.
add_executable(registry_load registry_load.cpp)
