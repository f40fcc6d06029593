#pragma once
// What the ledgers of one shard share: the connection, and what the database says about campaigns. Private to
// this adapter.
//
// A campaign decides only while three agree: the epoch that the database has (know()), the epoch in Redis,
// and the run of the server under which it was opened. What a script answers when they do not is judged here,
// once.

#include <set>
#include <string>
#include <unordered_map>

#include "adapters/redis/campaign_text.hpp"
#include "adapters/redis/connection.hpp"
#include "core/issuing/decision.hpp"

namespace doorbuster::redis {

struct LedgerEvents {
  /// A campaign of the database is missing in Redis, or is there under another epoch or run. Told once for
  /// each know().
  UniqueFunction<void(const CampaignId&)> needs_recovery = nullptr;
  /// The database's definitions are wanted again, before their next turn. Told once until know().
  UniqueFunction<void()> refresh = nullptr;
};

/// One thread: the shard's.
class LedgerCore {
 public:
  struct Campaign {
    explicit Campaign(const CampaignId& campaign) : id(campaign), keys(campaign) {}
    CampaignId id;
    CampaignKeys keys;
    CampaignDefinition definition;  ///< as the database has it
    std::string guard;              ///< empty: the database has not told of it
    std::string hold;               ///< token of the hold that was begun here
    bool reported = false;
    bool catching_up = false;
  };

  LedgerCore(rt::Shard& shard, Options options, LedgerEvents events, const ScriptSet& scripts);
  ~LedgerCore();

  void start() { connection.start(); }
  void stop();
  void know(std::vector<CampaignDefinition> definitions);
  /// For a campaign that this process has just opened. Only when the database was heard of lately: a process
  /// that was stopped for a while may open what has been recovered and lost since.
  void know_opened(const CampaignDefinition& definition);

  /// What is known of `id`; a campaign without guard when it is not.
  Campaign& campaign(const CampaignId& id);
  const Campaign* find(const CampaignId& id) const;
  std::vector<CampaignId> known() const;

  /// The outcome when a script has not answered `ok`; asks for a refresh or reports, as it must.
  Outcome judge(const CampaignId& id, ReplyView reply);
  /// The same as a failure; not_found when there is no such campaign.
  Error refusal(const CampaignId& id, ReplyView reply);
  /// The revision that Redis has: takes in a newer one of the database, whose writer may have died before he
  /// could.
  void saw_revision(Campaign& campaign, std::uint32_t revision);
  /// Judged as `closed`: by show().
  void report(Campaign& campaign);
  void ask_refresh();
  /// The guard under which a campaign of `epoch` would decide now.
  std::string guard_now(std::uint32_t epoch) const;
  /// Words of a script call: number of keys, then these.
  static Command words(std::initializer_list<std::string_view> keys);

  rt::Shard& shard;
  LedgerEvents events;
  Connection connection;

 private:
  void set_guards();

  std::unordered_map<CampaignId, Campaign> campaigns_;
  Campaign unknown_{CampaignId()};
  std::string run_id_;
  std::chrono::steady_clock::time_point known_at_;
  bool refresh_asked_ = false;
};

/// Answers with `reply`'s failure, an error reply or a refused status. \returns whether it has
template <class Done>
bool failed(LedgerCore& core, const CampaignId& id, const Result<Reply>& reply, Done& done) {
  if (!reply) {
    done(reply.error());
  } else if (reply->is_error()) {
    done(error_of(*reply));
  } else if ((*reply)[0].text() != "ok") {
    done(core.refusal(id, *reply));
  } else {
    return false;
  }
  return true;
}

}  // namespace doorbuster::redis
