// Heartbeats at a fixed rate: registry_load PORT INSTANCES CONNECTIONS RATE SECONDS
//
// INSTANCES of app LOAD, named i0, i1 ..., are spread over CONNECTIONS keep-alive connections; every
// millisecond those that are due are sent, whether or not earlier ones were answered. Prints one line of
// JSON: what was sent and answered, and how long answers took from the moment that they were due.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Connection {
  int socket = -1;
  std::string input;
  std::deque<SteadyClock::time_point> due;  // of the requests in the air
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(int port) {
  const int made = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  const int on = 1;
  ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

struct Tally {
  std::uint64_t sent = 0, ok = 0, other = 0;
  std::vector<double> milliseconds;
};

/// Answers of heartbeats have no body: an empty line ends each.
void take_answers(Connection& connection, Tally& tally) {
  char bytes[16 * 1024];
  const auto got = ::recv(connection.socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got == 0) give_up("the registry has closed a connection");
  if (got < 0) return;
  connection.input.append(bytes, static_cast<std::size_t>(got));
  const auto now = SteadyClock::now();
  std::size_t end = 0;
  while ((end = connection.input.find("\r\n\r\n")) != std::string::npos) {
    if (connection.input.starts_with("HTTP/1.1 200 ")) {
      ++tally.ok;
    } else {
      ++tally.other;
    }
    connection.input.erase(0, end + 4);
    tally.milliseconds.push_back(
        std::chrono::duration<double, std::milli>(now - connection.due.front()).count());
    connection.due.pop_front();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: registry_load PORT INSTANCES CONNECTIONS RATE SECONDS\n");
    return 1;
  }
  const int port = std::atoi(argv[1]), instances = std::atoi(argv[2]), count = std::atoi(argv[3]);
  const double rate = std::atof(argv[4]), seconds = std::atof(argv[5]);
  const int poll = ::epoll_create1(0);
  std::vector<Connection> connections(static_cast<std::size_t>(count));
  for (auto& connection : connections) {
    connection.socket = connect_to(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, connection.socket, &event);
  }
  Tally tally;
  const auto began = SteadyClock::now();
  const auto total = static_cast<std::uint64_t>(rate * seconds);
  while (tally.ok + tally.other < total) {
    const auto now = SteadyClock::now();
    const std::chrono::duration<double> passed = now - began;
    if (passed.count() > seconds + 10) break;
    const auto owed = std::min(total, static_cast<std::uint64_t>(passed.count() * rate));
    for (; tally.sent < owed; ++tally.sent) {
      const auto instance = tally.sent % static_cast<std::uint64_t>(instances);
      auto& connection = connections[instance % connections.size()];
      const auto request =
          "PUT /eureka/apps/LOAD/i" + std::to_string(instance) +
          "?status=UP&lastDirtyTimestamp=1 HTTP/1.1\r\nHost: registry\r\nAccept: application/json\r\n"
          "Accept-Encoding: gzip\r\nUser-Agent: registry_load\r\n\r\n";
      connection.due.push_back(began +
                               std::chrono::duration_cast<SteadyClock::duration>(
                                   std::chrono::duration<double>(static_cast<double>(tally.sent) / rate)));
      if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size())) {
        give_up("send");
      }
    }
    epoll_event events[256];
    const int ready = ::epoll_wait(poll, events, 256, 1);
    for (int i = 0; i < ready; ++i) take_answers(*static_cast<Connection*>(events[i].data.ptr), tally);
  }
  std::sort(tally.milliseconds.begin(), tally.milliseconds.end());
  const auto at = [&](double share) {
    if (tally.milliseconds.empty()) return 0.0;
    return tally
        .milliseconds[static_cast<std::size_t>(share * static_cast<double>(tally.milliseconds.size() - 1))];
  };
  std::printf("{\"sent\": %llu, \"ok\": %llu, \"other\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
              static_cast<unsigned long long>(tally.sent), static_cast<unsigned long long>(tally.ok),
              static_cast<unsigned long long>(tally.other), at(0.5), at(0.99));
  return tally.ok == total ? 0 : 1;
}
