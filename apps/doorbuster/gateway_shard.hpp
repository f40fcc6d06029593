#pragma once
// One thread of the gateway, with everything that belongs to it: clients' and instances' connections,
// filters.

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.hpp"
#include "net/upstream.hpp"
#include "obs/metrics.hpp"
#include "rt/shard.hpp"
#include "services/gateway/filters.hpp"
#include "services/gateway/gateway.hpp"

namespace doorbuster {

class GatewayShard {
 public:
  struct Options {
    net::HttpServerOptions server;
    gateway::GatewayOptions gateway;
    std::shared_ptr<const gateway::RouteTable> routes;
    gateway::AddressRanges trusted;
    std::vector<std::string> cors_origins;
    std::uint32_t access_log_every = 0;
    std::uint64_t seed = 0;  ///< of ids and choices; differs for each shard
  };

  explicit GatewayShard(const std::string& name);
  ~GatewayShard();

  /// \param lookup of this shard; it and `directory` outlive it
  /// \returns unavailable
  Result<void> build(ServiceDirectory& directory, InstanceLookup& lookup, obs::Registry& metrics,
                     Options options);
  Result<void> listen();
  std::uint16_t port();
  /// Starts draining; `done` runs on the shard.
  void drain(Duration patience, Work done);
  void begin_drain();
  /// Destroys what build() made, on the shard; then the shard may be stopped.
  void tear_down();
  rt::Shard& shard() { return shard_; }

 private:
  void write_metrics(obs::MetricsWriter& out);

  std::string name_;
  rt::Shard shard_;
  net::HttpServerOptions server_options_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<net::UpstreamHost> upstreams_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace doorbuster
