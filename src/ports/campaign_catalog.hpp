#pragma once
// Port: which campaigns are there, and how are they defined?

#include <optional>
#include <vector>

#include "base/executor.hpp"
#include "core/issuing/campaign.hpp"

namespace doorbuster {

/// Thread-safe; `done` runs on the executor that is given, once.
class CampaignCatalog {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;
  virtual ~CampaignCatalog() = default;

  /// Writes a definition by compare-and-set: its revision must follow the one that is there (1 when there is
  /// none), and its epoch must be the one that is there: a change that was begun before a recovery fails, for
  /// the recovery has opened the campaign under the definition that it found. The change is in the event log,
  /// too, when this succeeds. \returns conflict, unavailable (not
  /// written), unknown_outcome (get() tells)
  virtual void put(CampaignDefinition definition, Executor& on, Done<void> done) = 0;
  virtual void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) = 0;
  virtual void list(Executor& on, Done<std::vector<CampaignDefinition>> done) = 0;
};

}  // namespace doorbuster
