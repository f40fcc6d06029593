#pragma once
// The catalog beside a MemoryEventLog. It has nothing of its own: a definition is the last one in the log, so
// that what the log loses the catalog loses, too.

#include "adapters/memory/memory_event_log.hpp"
#include "ports/campaign_catalog.hpp"

namespace doorbuster {

/// Thread-safe.
class MemoryCatalog final : public CampaignCatalog {
 public:
  /// \param log outlives the catalog
  explicit MemoryCatalog(MemoryEventLog& log) : log_(log) {}

  void put(CampaignDefinition definition, Executor& on, Done<void> done) override;
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override;
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override;

 private:
  MemoryEventLog& log_;
};

}  // namespace doorbuster
