#pragma once
// Use cases of administrators: create a campaign, change it.
//
//   create: Ledger::prepare ──▶ Catalog::put ──▶ Ledger::open
//   change: Ledger::begin_change (checks, holds decisions) ──▶ Catalog::put ──▶ (wait) ──▶ Ledger::end_change
//
// A put of unknown outcome is settled by reading the catalog back, again and again until it answers; the
// campaign stays held (503) meanwhile, so that no coupon is decided under a definition that may not be the
// true one. One shard; completions after this object's end are dropped.

#include <memory>
#include <string_view>
#include <vector>

#include "ports/campaign_catalog.hpp"
#include "ports/ledger.hpp"

namespace doorbuster::api {

struct CampaignOptions {
  std::vector<Strategy> strategies{Strategy::atomic};     ///< that this stack offers
  std::vector<Durability> durabilities{Durability::log};  ///< that this stack offers
  std::string_view stack = "embedded";                    ///< its name, for people
  /// For so long other instances may say "sold out" by themselves (consistency.md rule 5). The limit of a
  /// campaign that is sold out is raised behind a hold of this length, so that nobody gets a coupon of which
  /// an instance that does not know of it might say that there is none.
  Duration limit_settles{};
  /// A creation is answered so long after it is done: until then other instances may say that the campaign is
  /// unknown.
  Duration creation_settles{};
};

class CampaignService {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  CampaignService(Executor& executor, Clock& clock, Ledger& ledger, CampaignCatalog& catalog,
                  CampaignOptions options = {});
  ~CampaignService();

  /// `created` false: the same definition was there already (a retried request).
  struct Created {
    CampaignView view;
    bool created = true;
  };
  /// \returns invalid, conflict (another campaign has the id), closed, unavailable, unknown_outcome
  void create(CampaignDefinition definition, Done<Created> done);
  /// \returns not_found, invalid, conflict, unavailable, unknown_outcome
  void change(CampaignId id, CampaignPatch patch, Done<CampaignView> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::api
