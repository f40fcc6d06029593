#include "adapters/eureka/registry_servers.hpp"

#include <chrono>
#include <utility>

#include "base/log.hpp"

namespace doorbuster {

RegistryServers::RegistryServers(rt::Shard& shard, std::vector<RegistryServer> servers, Duration timeout)
    : shard_(shard), servers_(std::move(servers)), timeout_(timeout), order_(servers_.size(), random_) {
  for (const auto& server : servers_) {
    clients_.push_back(std::make_unique<net::AsyncHttpClient>(shard_, server.url, server.authorization));
    auto beside = server.url;
    beside.path.clear();
    event_clients_.push_back(std::make_unique<net::AsyncHttpClient>(shard_, beside, server.authorization));
  }
}

discovery::Moment RegistryServers::now() const {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

void RegistryServers::exchange(std::size_t server, net::AsyncRequest request, Answer answer) {
  clients_[server]->exchange(std::move(request), timeout_,
                             [server, answer = std::move(answer)](
                                 Result<net::ClientResponse> result) mutable { answer(server, result); });
}

void RegistryServers::follow_events(std::size_t server, Duration silence,
                                    std::unique_ptr<net::StreamReader> reader) {
  net::AsyncRequest request;
  request.target = "/v1/registry/events";
  request.headers.emplace_back("Accept", "text/event-stream");
  event_clients_[server]->stream(std::move(request), silence, std::move(reader));
}

void RegistryServers::close_events() {
  for (const auto& client : event_clients_) client->close_streams();
}

void RegistryServers::answered(std::size_t server) {
  order_.answered(server);
  if (!std::exchange(reachable_, true)) log().info("registry: {} answers", shown(server));
}

void RegistryServers::failed(std::size_t server, const std::string& why) {
  const auto moment = now();
  order_.failed(server, moment);
  // Another one may take over at once: then nothing is lost.
  if (order_.choose(moment).not_before <= moment) {
    log().info("registry: {} fails ({}); asking another", shown(server), why);
  } else if (std::exchange(reachable_, false)) {
    log().warn("registry: {} ({}); trying again, and going on with what is known", shown(server), why);
  }
}

}  // namespace doorbuster
