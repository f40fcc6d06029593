#pragma once
// The real servers that tests/support/with_stack.py has started for this test program (cmake:
// doorbuster_server_test), and the means to kill, stop and start them.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace doorbuster::test {

/// A variable that with_stack.py sets; ends the program when it has not.
inline std::string from_stack(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) {
    std::fprintf(stderr, "%s is not set: run this by ctest, or by tests/support/with_stack.py\n", variable);
    std::exit(1);
  }
  return value;
}

struct Place {
  std::string host;
  std::uint16_t port = 0;
};

inline Place place_of(const std::string& host_and_port) {
  const auto colon = host_and_port.rfind(':');
  return {host_and_port.substr(0, colon),
          static_cast<std::uint16_t>(std::stoul(host_and_port.substr(colon + 1)))};
}

inline Place redis_place() {
  return place_of(from_stack("DOORBUSTER_TEST_REDIS"));
}
inline std::string redis_password() {
  return from_stack("DOORBUSTER_TEST_REDIS_PASSWORD");
}
/// `host:port`, several with commas between.
inline std::string kafka_brokers() {
  return from_stack("DOORBUSTER_TEST_KAFKA");
}
inline Place mariadb_place() {
  return place_of(from_stack("DOORBUSTER_TEST_MARIADB"));
}
inline std::string mariadb_user() {
  return from_stack("DOORBUSTER_TEST_MARIADB_USER");
}
inline std::string mariadb_password() {
  return from_stack("DOORBUSTER_TEST_MARIADB_PASSWORD");
}
/// This user may make further databases whose names begin with `doorbuster`.
inline std::string mariadb_database() {
  return from_stack("DOORBUSTER_TEST_MARIADB_NAME");
}

/// Tells with_stack.py what to do with a server: `kill9 redis`, `stop mariadb`, `start kafka` (waits until it
/// answers), `launch kafka` (does not wait), `pause kafka 2` (SIGSTOP, the second broker), `resume kafka 2`,
/// `wipe redis` (all data; only after kill9 or stop). \returns empty when done, else what went wrong
inline std::string tell_stack(const std::string& command) {
  const auto place = place_of(from_stack("DOORBUSTER_TEST_CONTROL"));
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.port);
  ::inet_pton(AF_INET, place.host.c_str(), &address.sin_addr);
  std::string answer;
  const std::string line = command + "\n";
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::send(connection, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    answer = "with_stack.py does not listen";
  }
  char byte = 0;
  while (answer.empty() || answer.back() != '\n') {
    if (::recv(connection, &byte, 1, 0) != 1) break;
    answer += byte;
  }
  ::close(connection);
  if (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer == "ok" ? "" : answer;
}

}  // namespace doorbuster::test
