#pragma once
// The gateway of one shard: takes a client's request through the filters to an instance, and its reply back.
//
//   handle ──▶ filters ──▶ route ──▶ instance ──▶ write_request ──▶ UpstreamPool
//                                       ▲                               │
//                             retry ────┘◀── on_failure ── on_reply ────┴──▶ client
//
// Retries (docs/gateway.md): what was certainly not processed, always; what may have been, when it is
// idempotent. The first retry after a lost connection is always allowed, further ones by the service's
// budget.
//
// Everything belongs to the shard. The HttpServer whose requests come here must be stopped before this goes.

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/http_server.hpp"
#include "net/upstream.hpp"
#include "obs/histogram.hpp"
#include "obs/metrics.hpp"
#include "ports/instance_lookup.hpp"
#include "ports/service_directory.hpp"
#include "services/gateway/filter.hpp"
#include "services/gateway/route.hpp"
#include "services/gateway/service_pool.hpp"

namespace doorbuster::gateway {

struct GatewayOptions {
  std::string shard;  ///< "io-0", a metric label
  ServiceOptions service;
  Duration request_timeout = std::chrono::seconds(15);  ///< until the reply begins, retries included
  std::uint32_t most_retries = 3;                       ///< of one request, refused connections not counted
  std::size_t most_in_flight = 32'768;                  ///< requests without a reply; further ones get 503
};

struct GatewayStats {
  std::array<std::uint64_t, 6> replies{};  ///< by class of status
  std::uint64_t retries_unsent = 0;
  std::uint64_t retries_idempotent = 0;
  std::uint64_t retries_moved = 0;   ///< from behind a slow reply
  std::uint64_t retries_denied = 0;  ///< by the budget
  std::uint64_t no_route = 0;
  std::uint64_t no_instance = 0;
  std::uint64_t overflows = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t lost = 0;  ///< answered 502
  std::uint64_t clients_gone = 0;
  std::uint64_t answered_by_filters = 0;
  std::uint64_t streams = 0;
  obs::Histogram time;  ///< from the request to the reply's beginning
};

class Exchange;

class Gateway {
 public:
  /// \param directory, lookup outlive this
  Gateway(rt::Shard& shard, net::UpstreamHost& upstreams, SeededRandom& random, ServiceDirectory& directory,
          InstanceLookup& lookup, std::shared_ptr<const RouteTable> routes, FilterChain filters,
          GatewayOptions options, const obs::Registry* metrics);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void handle(const http::Request& request, net::Responder responder);
  /// /readyz says 503 from now on.
  void begin_drain() { draining_ = true; }
  const GatewayStats& stats() const { return stats_; }
  std::size_t in_flight() const { return in_flight_; }
  void write_metrics(obs::MetricsWriter& out);

 private:
  friend class Exchange;
  class StreamedBody;

  bool answer_own(const http::Request& request, net::Responder& responder);
  void show_readiness(net::Responder responder);
  Exchange& new_exchange();
  void release(Exchange& exchange);
  ServicePool& pool_of(const Route& route) { return *services_[service_of_route_[route.number]]; }
  void look_up(Exchange& exchange);
  void dispatch(Exchange& exchange);
  void on_reply(Exchange& exchange, const http::ReplyHead& head, std::string_view body);
  void on_stream(Exchange& exchange, const http::ReplyHead& head, std::unique_ptr<net::BodySource> body);
  void on_failure(Exchange& exchange, net::UpstreamFailure failure, bool sent, std::string_view detail);
  void on_upload_progress(Exchange& exchange);
  bool may_move(Exchange& exchange);
  bool may_retry(Exchange& exchange, net::UpstreamFailure failure, bool sent);
  void client_gone(Exchange& exchange);
  void give_up(Exchange& exchange);
  /// Answers by itself and ends the exchange. \param retry_after seconds; 0: no such field
  void answer(Exchange& exchange, http::Response response, int retry_after = 0);
  void finish(Exchange& exchange, int status, std::uint64_t bytes);
  void update_services();
  void sweep();

  rt::Shard& shard_;
  net::UpstreamHost& upstreams_;
  ServiceDirectory& directory_;
  InstanceLookup& lookup_;
  std::shared_ptr<const RouteTable> routes_;
  FilterChain filters_;
  GatewayOptions options_;
  const obs::Registry* metrics_;
  std::vector<std::unique_ptr<ServicePool>> services_;
  std::vector<std::size_t> service_of_route_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> free_;
  std::size_t in_flight_ = 0;
  bool draining_ = false;
  GatewayStats stats_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster::gateway
