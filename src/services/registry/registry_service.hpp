#pragma once
// The registry: Eureka's REST protocol, a push of changes, and a page for people.
//
//   request ──▶ RegistryService::handle ──▶ target.hpp (what about?) ──▶ eureka_endpoints.cpp ──▶ LeaseTable
//                                                                          answers from Views ◀── its pages
//   LeaseTable changes ──▶ EventHub ──▶ everybody at /v1/registry/events
//   tick() once a second ──▶ LeaseTable::evict, comments that keep listeners' connections alive
//
// Every answer is ready within the call: nothing waits for anything else. Who may do what is checked at one
// place, the beginning of handle(), where the filters of authentication and rate limits have theirs, too.
//
// One shard: everything here runs on it.

#include <array>
#include <memory>
#include <optional>

#include "core/leases/lease_table.hpp"
#include "obs/counter.hpp"
#include "obs/metrics.hpp"
#include "services/registry/event_hub.hpp"
#include "services/registry/target.hpp"
#include "services/registry/views.hpp"

namespace doorbuster::registry {

struct RegistryOptions {
  leases::LeaseOptions leases;
  EventHub::Options events;
  /// So long after the start, lists are answered 403: clients keep what they have until the instances have
  /// come back. Eureka's waitTimeInMsWhenSyncEmpty.
  Duration wait_time_when_empty{};
  Duration keep_alive = std::chrono::seconds(15);  ///< between comments on an idle stream of events
  std::size_t most_body_bytes = 64 * 1024;         ///< also of what a packed body holds
};

struct RegistryParts {
  Executor& executor;
  Clock& clock;  ///< one that never jumps: leases are counted on it
  obs::Registry& metrics;
};

/// What to send. `body` set: a stream behind the head.
struct Answer {
  http::Response head;
  std::unique_ptr<net::BodySource> body;
};

/// What requests ask for, as counted.
enum class Operation : std::uint8_t {
  enroll,
  renew,
  cancel,
  status,
  metadata,
  full,
  delta,
  app,
  instance,
  vip,
  events,
  other
};
inline constexpr std::size_t kOperations = 12;

class RegistryService {
 public:
  /// Adds its numbers to `parts.metrics`.
  RegistryService(RegistryParts parts, const RegistryOptions& options);

  Answer handle(const http::Request& request);
  /// Evicts; once in `eviction_interval`.
  void tick();
  /// Ends the streams of events, so that the server can drain.
  void close_streams() { hub_.close(); }

  leases::LeaseTable& table() { return table_; }
  const EventHub& hub() const { return hub_; }
  void write_metrics(obs::MetricsWriter& out);

 private:
  struct Routed {
    Operation operation = Operation::other;
    Answer answer;
  };
  Routed route(const http::Request& request);
  std::optional<Answer> own_page(const http::Request& request);
  Answer listen();
  Answer metrics_page();
  bool warming_up();

  // eureka_endpoints.cpp
  Routed eureka(const http::Request& request, const Target& target);
  Answer enroll(const http::Request& request, const Target& target);
  Answer renew(const http::Request& request, const Target& target);
  Answer put_status(const http::Request& request, const Target& target);
  Answer delete_status(const http::Request& request, const Target& target);
  Answer put_metadata(const http::Request& request, const Target& target);
  Answer fetch_all(const http::Request& request, Views::Kind kind);
  Answer fetch_app(const http::Request& request, const Target& target);
  Answer fetch_instance(const http::Request& request, const leases::Lease* lease);
  Answer fetch_vip(const http::Request& request, const Target& target);

  // status_page.cpp
  Answer status_page();

  void on_change(const leases::InstanceInfo& info);
  Timestamp now() { return parts_.clock.now(); }

  RegistryParts parts_;
  RegistryOptions options_;
  leases::LeaseTable table_;
  Views views_;
  EventHub hub_;
  Timestamp started_;
  Timestamp kept_alive_;
  std::uint64_t evicted_ = 0;
  std::array<std::array<obs::Counter, 6>, kOperations> requests_;  // by first digit of the status
};

}  // namespace doorbuster::registry
