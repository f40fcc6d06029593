#pragma once
// What one io thread has: its view of the ledger, the services over it, the endpoints, the HTTP server.

#include <memory>

#include "adapters/memory/memory_ledger.hpp"
#include "adapters/memory/owner_ledger.hpp"
#include "net/http_server.hpp"
#include "services/api/api_endpoints.hpp"

namespace doorbuster {

/// What the shards of a process share. Everything outlives them.
struct SharedParts {
  Clock& clock;
  MemoryLedger& ledger;
  rt::Shard& ledger_shard;  ///< the owner of `ledger`
  EventLog& log;
  CampaignCatalog& catalog;
  CouponRepository& repository;
  rt::Offload& offload;
  obs::Registry& metrics;
};

/// Made and destroyed while the shard's thread does not run; in between everything is called on the shard.
class IoShard {
 public:
  IoShard(rt::Shard& shard, const SharedParts& shared, api::IssueOptions issue, api::ApiOptions options);

  Result<void> listen(net::HttpServerOptions options);
  std::uint16_t port() const { return server_->port(); }
  /// Appends overdue events again and again, from now on. On the owner of the ledger alone: they are all
  /// there.
  void keep_relaying(Duration interval);
  /// As HttpServer::drain(); at once when it never listened.
  void drain(Duration patience, UniqueFunction<void()> done);
  void stop();

  rt::Shard& shard() { return shard_; }
  api::CampaignService& campaigns() { return campaigns_; }

 private:
  rt::Shard& shard_;
  std::unique_ptr<OwnerLedger> elsewhere_;  // none on the owner's shard
  Ledger& ledger_;
  api::IssueService issue_;
  api::CampaignService campaigns_;
  api::ApiEndpoints endpoints_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace doorbuster
