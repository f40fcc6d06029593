#pragma once
// The registries as the client's parts share them: one HTTP client each, and the order in which they are
// asked. One thread: the shard's.

#include <memory>
#include <string>
#include <vector>

#include "adapters/eureka/server_url.hpp"
#include "core/discovery/server_order.hpp"
#include "net/async_http_client.hpp"

namespace doorbuster {

class RegistryServers {
 public:
  using Answer = UniqueFunction<void(std::size_t server, const Result<net::ClientResponse>&)>;

  RegistryServers(rt::Shard& shard, std::vector<RegistryServer> servers, Duration timeout);

  discovery::Moment now() const;
  discovery::ServerOrder::Choice choose() { return order_.choose(now()); }
  /// \param request its target stands behind the server's path: `/apps/delta`
  void exchange(std::size_t server, net::AsyncRequest request, Answer answer);
  /// Opens our own registry's stream of events, which stands beside Eureka's path.
  void follow_events(std::size_t server, Duration silence, std::unique_ptr<net::StreamReader> reader);
  void close_events();

  /// What an exchange has shown. Logs when the last one that answered is lost, and when one is back.
  void answered(std::size_t server);
  void failed(std::size_t server, const std::string& why);

  const std::string& shown(std::size_t server) const { return servers_[server].shown; }
  bool reachable() const { return reachable_; }

 private:
  rt::Shard& shard_;
  std::vector<RegistryServer> servers_;
  Duration timeout_;
  SystemRandom random_;
  discovery::ServerOrder order_;
  std::vector<std::unique_ptr<net::AsyncHttpClient>> clients_;
  std::vector<std::unique_ptr<net::AsyncHttpClient>> event_clients_;
  bool reachable_ = true;  // until shown otherwise: a first failure is worth a line
};

}  // namespace doorbuster
