set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(DOORBUSTER_SANITIZE "" CACHE STRING "address (with undefined), thread, or empty")
option(DOORBUSTER_FUZZ "Build the libFuzzer programs (clang only)" OFF)

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror -fno-omit-frame-pointer)
# One io_context has one thread: eight cached blocks serve the handlers of one turn.
add_compile_definitions(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8 BOOST_ASIO_NO_DEPRECATED)

if(DOORBUSTER_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(DOORBUSTER_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND DOORBUSTER_SANITIZE STREQUAL "thread")
  add_compile_options(-Wno-tsan)
endif()

if(DOORBUSTER_FUZZ)
  # Every library reports to libFuzzer which branches an input reaches.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(DOORBUSTER_CCACHE ccache)
if(DOORBUSTER_CCACHE)
  # Paths count from the checkout: another checkout of the same sources finds what this one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true
    ${DOORBUSTER_CCACHE})
endif()
find_program(DOORBUSTER_MOLD mold)
if(DOORBUSTER_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
