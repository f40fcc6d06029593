#include "services/recovery/recovery_supervisor.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace doorbuster::recovery {
namespace {

/// All campaigns together, as RecoveryStore::try_lock() is told of them.
const CampaignId kAll{};

/// Gives the right to recover back when its holder is through, however that ends.
class Right {
 public:
  Right(RecoveryStore& store, const CampaignId& campaign) : store_(store), campaign_(campaign) {}
  ~Right() {
    if (held_) store_.unlock(campaign_);
  }
  Right(const Right&) = delete;
  Right& operator=(const Right&) = delete;
  Result<bool> take() {
    const auto taken = store_.try_lock(campaign_);
    held_ = taken && *taken;
    return taken;
  }

 private:
  RecoveryStore& store_;
  CampaignId campaign_;
  bool held_ = false;
};

}  // namespace

RecoverySupervisor::RecoverySupervisor(Parts parts, Clock& clock, SupervisorOptions options)
    : parts_(parts),
      clock_(clock),
      options_(std::move(options)),
      recovery_(parts, clock, options_.recovery) {}

void RecoverySupervisor::notice(const CampaignId& campaign) {
  const std::lock_guard lock(mutex_);
  const auto [found, first] = cases_.try_emplace(campaign, Case{clock_.now(), options_.first_back_off, true});
  if (!first) found->second.closed = true;
}

Duration RecoverySupervisor::run_due() {
  Timestamp now = clock_.now();
  if (now >= check_due_) {
    (void)look_at_log();  // a log or database that does not answer is no loss
    check_due_ = clock_.now() + options_.check_log_every;
  }
  for (const CampaignId& campaign : due_cases(clock_.now())) attend(campaign);
  const std::lock_guard lock(mutex_);
  Timestamp next = check_due_;
  stats_.waiting = 0;
  for (const auto& [id, each] : cases_) {
    if (!each.closed) continue;
    ++stats_.waiting;
    next = std::min(next, each.due);
  }
  now = clock_.now();
  return next > now ? next - now : Duration::zero();
}

SupervisorStats RecoverySupervisor::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<CampaignId> RecoverySupervisor::due_cases(Timestamp now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(cases_, [now](const auto& each) { return !each.second.closed && each.second.due <= now; });
  std::vector<CampaignId> due;
  for (const auto& [id, each] : cases_) {
    if (each.closed && each.due <= now) due.push_back(id);
  }
  return due;
}

Result<void> RecoverySupervisor::look_at_log() {
  const Timestamp now = clock_.now();
  const auto lost = recovery_.log_has_lost_data();
  if (!lost) return lost.error();
  if (!*lost) return {};
  {
    const std::lock_guard lock(mutex_);
    ++stats_.log_losses;
  }
  Right right(parts_.store, kAll);
  const auto mine = right.take();
  if (!mine) return mine.error();
  if (!*mine) return {};  // somebody is at it
  log().warn(
      "recovery: the event log has lost data that the database had stored of it: every campaign is "
      "closed, and what the ledger holds is emitted again");
  const auto reports = recovery_.recover_all();
  const std::lock_guard lock(mutex_);
  if (!reports) {
    ++stats_.failures;
    stats_.last_error = reports.error().detail;
    log().warn("recovery of all campaigns: {}", reports.error().detail);
    return reports.error();
  }
  for (const Report& report : *reports) log().info("recovery: {}", to_text(report));
  stats_.recovered += reports->size();
  stats_.last_took = clock_.now() - now;
  stats_.last_error.clear();
  return {};
}

void RecoverySupervisor::attend(const CampaignId& campaign) {
  const auto settled = try_recover(campaign);
  if (!settled) return put_off(campaign, settled.error());
  settle(campaign);
}

Result<bool> RecoverySupervisor::try_recover(const CampaignId& campaign) {
  Right right(parts_.store, campaign);
  const auto mine = right.take();
  if (!mine) return mine.error();
  if (!*mine) return true;  // who has it opens the campaign; if not, somebody notices again
  const auto campaigns = parts_.store.campaigns();
  if (!campaigns) return campaigns.error();
  const auto found = std::find_if(campaigns->begin(), campaigns->end(),
                                  [&](const CampaignDefinition& each) { return each.id == campaign; });
  if (found == campaigns->end()) return true;
  const auto open = parts_.ledger.is_open(*found);
  if (!open) return open.error();
  if (*open) return true;

  if (options_.wall_clock != nullptr && found->revision == 1 && found->epoch == 1 &&
      options_.wall_clock->now() - found->created_at < options_.creation_takes) {
    return make_error(ErrorCode::not_ready, "it is being created at this moment");
  }
  const Timestamp began = clock_.now();
  log().info("recovery: campaign {} is closed; reading back what it must say", campaign.text());
  const auto reports = recovery_.recover(campaign);
  if (!reports) return reports.error();
  for (const Report& report : *reports) log().info("recovery: {}", to_text(report));
  const std::lock_guard lock(mutex_);
  stats_.recovered += reports->size();
  stats_.last_took = clock_.now() - began;
  stats_.last_error.clear();
  return true;
}

void RecoverySupervisor::settle(const CampaignId& campaign) {
  const std::lock_guard lock(mutex_);
  cases_[campaign] = {clock_.now() + options_.first_back_off, options_.first_back_off, false};
}

void RecoverySupervisor::put_off(const CampaignId& campaign, const Error& error) {
  const std::lock_guard lock(mutex_);
  Case& one = cases_[campaign];
  log().warn("recovery of campaign {}: {}; again in {} ms", campaign.text(), error.detail,
             std::chrono::duration_cast<std::chrono::milliseconds>(one.back_off).count());
  one.due = clock_.now() + one.back_off;
  one.back_off = std::min(one.back_off * 2, options_.longest_back_off);
  one.closed = true;
  ++stats_.failures;
  stats_.last_error = error.detail;
}

}  // namespace doorbuster::recovery
