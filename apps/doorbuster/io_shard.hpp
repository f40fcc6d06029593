#pragma once
// One thread for connections, with everything that belongs to it: services, endpoints, HTTP server.

#include <memory>
#include <string>

#include "apps/doorbuster/api_stack.hpp"
#include "base/random.hpp"
#include "net/http_server.hpp"
#include "obs/metrics.hpp"
#include "rt/shard.hpp"
#include "services/api/api_endpoints.hpp"
#include "services/api/async_issue.hpp"

namespace doorbuster {

class IoShard {
 public:
  struct Options {
    std::string name;  ///< "io-0"
    InstanceName instance;
    net::HttpServerOptions server;
    api::IssueOptions issue;
    api::Authorizer authorizer;
    Strategy default_strategy = Strategy::atomic;
  };

  /// Starts the thread; nothing is served before listen().
  explicit IoShard(const std::string& name);
  ~IoShard();

  /// Builds the services on the shard. \param metrics of the process: this shard adds its own
  /// \returns why the stack cannot decide
  Result<void> build(ApiStack& stack, Clock& clock, obs::Registry& metrics, const Options& options);
  /// Can it decide? An error says what it waits for.
  Result<void> ready();
  Result<void> listen();
  std::uint16_t port();

  /// Starts draining; `done` runs on the shard.
  void drain(Duration patience, Work done);
  /// Cuts the connections and ends the ticks. What build() made stays: a request or a scrape of the metrics
  /// that is on its way from shard to shard may still come by.
  void close();
  /// Destroys what build() made. The loops of all shards have been stopped before: nobody comes by any more.
  void destroy();

  rt::Shard& shard() { return shard_; }
  api::CampaignService& campaigns() { return *campaigns_; }
  /// On the shard.
  Ledger& ledger() { return stack_->ledger(); }
  /// Queued requests that this shard has not settled yet.
  std::uint64_t queued();

 private:
  void tick();
  void write_metrics(obs::MetricsWriter& out) const;

  rt::Shard shard_;
  std::string name_;
  std::unique_ptr<StackShard> stack_;
  BootClock boot_clock_;
  std::unique_ptr<api::IssueService> issue_;
  std::unique_ptr<api::CampaignService> campaigns_;
  SystemRandom random_;
  std::unique_ptr<api::AsyncIssue> async_;  // null: there are no queued requests
  std::unique_ptr<api::ApiEndpoints> endpoints_;
  std::unique_ptr<net::HttpServer> server_;
  net::HttpServerOptions server_options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // of the shard's thread; ends the ticks
};

}  // namespace doorbuster
