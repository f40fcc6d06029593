#pragma once
// The ledger in Redis as a recovery sees it (ports/recovery.hpp, services/recovery). Each step is a script
// that checks the epoch; coupons are added in long calls that are in the air together. Blocking; one thread.
// The connection is made by connect() or the first call, and anew after one has failed.

#include "adapters/redis/blocking_connection.hpp"
#include "adapters/redis/campaign_text.hpp"
#include "ports/recovery.hpp"

namespace doorbuster {

class RedisRebuildableLedger final : public RebuildableLedger {
 public:
  explicit RedisRebuildableLedger(redis::Options options,
                                  const redis::ScriptSet& scripts = redis::ScriptSet::production())
      : options_(std::move(options)), scripts_(scripts) {}

  /// Before anything is closed: is Redis there, and what it must be?
  Result<void> connect();

  Result<void> close(const CampaignDefinition& definition) override;
  Result<void> read_holders(const CampaignId& campaign, Each<CouponIssued> each) override;
  Result<void> begin_rebuild(const CampaignDefinition& definition) override;
  /// A refusal may be told by a later call: further ones are sent before the answers are there.
  Result<void> add(const CampaignDefinition& definition, std::span<const CouponIssued> events,
                   bool safe) override;
  Result<void> finish_rebuild(const CampaignDefinition& definition,
                              std::span<const NumberRange> missing) override;
  Result<bool> is_open(const CampaignDefinition& definition) override;

 private:
  Result<void> settle(std::size_t most_unanswered);
  Result<void> run(redis::ScriptId script, const redis::Command& words, const CampaignDefinition& definition);
  Result<void> read_hash(const CampaignId& campaign, const std::string& key, Each<CouponIssued>& each);

  const redis::Options options_;
  const redis::ScriptSet& scripts_;
  std::unique_ptr<redis::BlockingConnection> connection_;
};

}  // namespace doorbuster
