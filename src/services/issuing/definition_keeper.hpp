#pragma once
// Keeps a process that shares its ledger with others informed: reads the catalog now and then, tells the
// ledgers what there is, and mends what a process that died in the middle of a change has left behind.
//
// A definition that was written to the catalog and not told to the ledger, and a campaign that stays held,
// are mended by a change that changes nothing: CampaignService takes the hold over, finds in the catalog what
// is true, and tells the ledger; or its own revision makes whatever the dead process may still have on its
// way to the catalog fail.
//
// One shard. Completions after this object's end are dropped.

#include <functional>
#include <memory>

#include "base/executor.hpp"
#include "ports/campaign_catalog.hpp"
#include "ports/ledger.hpp"

namespace doorbuster::issuing {

struct KeeperOptions {
  Duration refresh_every = std::chrono::seconds(1);
  Duration look_every = std::chrono::seconds(5);  ///< at campaigns of which nothing new is known
  Duration mend_after = std::chrono::seconds(5);  ///< what was seen amiss for so long
};

class DefinitionKeeper {
 public:
  struct Parts {
    Executor& executor;
    Clock& clock;  ///< a BootClock
    CampaignCatalog& catalog;
    Ledger& ledger;
  };
  /// \param know is told all definitions, at every refresh
  /// \param mend changes nothing of a campaign, by a new revision
  DefinitionKeeper(Parts parts, std::function<void(const std::vector<CampaignDefinition>&)> know,
                   std::function<void(const CampaignId&)> mend, KeeperOptions options = {});
  ~DefinitionKeeper();

  /// Refreshes now, tells how that went, and goes on by itself.
  void start(Ledger::Done<void> refreshed);
  /// Refreshes before its time: somebody has found that what he knows is old. At most one at a time.
  void refresh();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::issuing
