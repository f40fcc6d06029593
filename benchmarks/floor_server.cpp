// What the server costs without any service behind it: answers every request with an empty 200.
// `floor_server [PORT]` prints the port and serves until it is killed; benchmarks/floor.py measures it.

#include <cstdio>
#include <cstdlib>

#include "net/http_server.hpp"

int main(int argc, char** argv) {
  using namespace doorbuster;
  rt::Shard shard("io-0");
  net::HttpServerOptions options;
  options.port = argc > 1 ? static_cast<std::uint16_t>(std::atoi(argv[1])) : std::uint16_t{0};
  net::HttpServer server(shard, options, [](const http::Request&, net::Responder responder) {
    http::Response response;
    response.content_type = {};
    responder.send(response);
  });
  if (const auto listening = server.listen(); !listening) {
    std::fprintf(stderr, "%s\n", listening.error().detail.c_str());
    return 1;
  }
  std::printf("%u\n", unsigned{server.port()});
  std::fflush(stdout);
  shard.context().run();
}
