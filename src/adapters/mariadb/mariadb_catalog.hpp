#pragma once
// The campaigns' definitions: rows of the database, told to the event log after their commit.
//
// Invariants
//  1. The row of a campaign changes by compare-and-set of revision and epoch, together with a row of history.
//  2. Every revision reaches the log, in order for each campaign, as often as it takes: the history notes
//  what
//     was published. Until then put() says `unknown_outcome`, and publish_pending() goes on.

#include <mutex>

#include "adapters/mariadb/pool.hpp"
#include "ports/campaign_catalog.hpp"
#include "ports/event_log.hpp"
#include "rt/offload.hpp"

namespace doorbuster::mariadb {

/// Thread-safe.
class MariaDbCatalog final : public CampaignCatalog {
 public:
  /// \param pool reads and writes; \param threads where the calls wait for the database. All outlive this.
  MariaDbCatalog(Pool& pool, ChangeLog& log, rt::Offload& threads,
                 Duration publish_timeout = std::chrono::seconds(5))
      : pool_(pool), log_(log), threads_(threads), publish_timeout_(publish_timeout) {}

  void put(CampaignDefinition definition, Executor& on, Done<void> done) override;
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override;
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override;

  /// Publishes what was committed and did not reach the log, of any process. Blocking; for a periodic call.
  /// \returns how many; unavailable, unknown_outcome
  Result<std::size_t> publish_pending();

  /// The same as their namesakes, on the caller's thread.
  Result<void> put_now(const CampaignDefinition& definition);
  Result<std::optional<CampaignDefinition>> get_now(const CampaignId& id);
  Result<std::vector<CampaignDefinition>> list_now();

 private:
  Result<void> write(Connection& connection, const CampaignDefinition& definition);
  Result<std::size_t> publish(Connection& connection, const CampaignId* only);

  Pool& pool_;
  ChangeLog& log_;
  rt::Offload& threads_;
  Duration publish_timeout_;
  std::mutex publish_mutex_;  // in this process the revisions of a campaign go to the log one by one
};

}  // namespace doorbuster::mariadb
