#include "tests/sim/model_database.hpp"

#include <algorithm>

namespace doorbuster::model {

Result<void> Database::put(const CampaignDefinition& definition) {
  const auto there = campaigns.find(definition.id);
  const std::uint32_t revision = there == campaigns.end() ? 0 : there->second.revision;
  const std::uint32_t epoch = there == campaigns.end() ? 1 : there->second.epoch;
  if (definition.revision != revision + 1 || definition.epoch != epoch)
    return make_error(ErrorCode::conflict, "the definition was changed by somebody else");
  campaigns[definition.id] = definition;
  if (changed) changed(definition);
  return {};
}

bool Database::is_void_here(const CouponIssued& event, std::size_t partition, LogPosition position) const {
  const auto found = fences.find(event.campaign);
  return found != fences.end() && is_void(found->second, event.epoch, partition, position);
}

void Database::insert(std::size_t partition, LogPosition position, const CouponIssued& event) {
  if (is_void_here(event, partition, position)) return;
  const auto key = std::pair(event.campaign, event.coupon.user);
  if (const auto there = rows.find(key); there != rows.end()) {
    if (there->second.coupon != event.coupon) letters.push_back({position, "conflict: user", event});
    return;
  }
  if (sequences.contains({event.campaign, event.coupon.sequence})) {
    letters.push_back({position, "conflict: sequence", event});
  } else if (codes.contains(event.coupon.code)) {
    letters.push_back({position, "conflict: code", event});
  } else {
    sequences.insert({event.campaign, event.coupon.sequence});
    codes.insert(event.coupon.code);
    rows[key] = event;
  }
}

Result<std::vector<CampaignDefinition>> DatabaseRecovery::campaigns() {
  if (const auto fine = before_("database campaigns"); !fine) return fine.error();
  std::vector<CampaignDefinition> all;
  for (const auto& [id, definition] : database_.campaigns) all.push_back(definition);
  return all;
}

Result<CampaignDefinition> DatabaseRecovery::raise_epoch(const CampaignId& campaign, std::uint32_t from) {
  if (const auto fine = before_("database raise_epoch"); !fine) return fine.error();
  const auto found = database_.campaigns.find(campaign);
  if (found == database_.campaigns.end() || found->second.epoch != from)
    return make_error(ErrorCode::conflict, "the epoch is another one");
  ++found->second.epoch;
  return found->second;
}

Result<EpochFence> DatabaseRecovery::fence(const CampaignId& campaign, std::uint32_t epoch,
                                           UniqueFunction<Result<std::vector<LogPosition>>()> ends) {
  if (const auto fine = before_("database fence"); !fine) return fine.error();
  auto& fences = database_.fences[campaign];
  for (const auto& fence : fences) {
    if (fence.epoch == epoch) return fence;
  }
  const auto noted = ends();
  if (!noted) return noted.error();
  fences.push_back({epoch, *noted});
  return fences.back();
}

Result<std::vector<EpochFence>> DatabaseRecovery::fences(const CampaignId& campaign) {
  if (const auto fine = before_("database fences"); !fine) return fine.error();
  return database_.fences[campaign];
}

Result<void> DatabaseRecovery::read_rows(const CampaignId& campaign, Each<CouponIssued> each) {
  if (const auto fine = before_("database read_rows"); !fine) return fine;
  for (const auto& [key, row] : database_.rows) {
    if (key.first != campaign) continue;
    if (const auto taken = each(CouponIssued(row)); !taken) return taken;
  }
  return {};
}

Result<void> DatabaseRecovery::read_dead_letters(const CampaignId& campaign, Each<CouponIssued> each) {
  if (const auto fine = before_("database read_dead_letters"); !fine) return fine;
  for (const auto& letter : database_.letters) {
    if (letter.event.campaign != campaign) continue;
    if (const auto taken = each(CouponIssued(letter.event)); !taken) return taken;
  }
  return {};
}

Result<std::vector<LogPosition>> DatabaseRecovery::stored_through(std::size_t partitions) {
  if (const auto fine = before_("database stored_through"); !fine) return fine.error();
  auto positions = database_.stored_through;
  positions.resize(partitions);
  return positions;
}

Result<void> DatabaseRecovery::rewind_to_start() {
  if (const auto fine = before_("database rewind_to_start"); !fine) return fine;
  std::fill(database_.stored_through.begin(), database_.stored_through.end(), 0);
  return {};
}

Result<std::string> DatabaseRecovery::log_identity() {
  if (const auto fine = before_("database log_identity"); !fine) return fine.error();
  return database_.log_identity;
}

Result<void> DatabaseRecovery::note_log_identity(const std::string& identity) {
  if (const auto fine = before_("database note_log_identity"); !fine) return fine;
  database_.log_identity = identity;
  return {};
}

Result<bool> DatabaseRecovery::try_lock(const CampaignId& campaign) {
  if (const auto fine = before_("database try_lock"); !fine) return fine.error();
  const auto [lock, taken] = database_.locks.emplace(campaign, this);
  return taken;
}

void DatabaseRecovery::unlock(const CampaignId& campaign) {
  const auto found = database_.locks.find(campaign);
  if (found != database_.locks.end() && found->second == this) database_.locks.erase(found);
}

Result<void> DatabaseStore::store(const std::vector<LogRecord>& records) {
  const Fate fate = fate_();
  if (database_.stored_through[partition_] != known_)
    return make_error(ErrorCode::unavailable, "another worker has gone on with this partition");
  if (fate == Fate::rolled_back) return make_error(ErrorCode::unavailable, "the database does not answer");
  for (const auto& record : records)
    database_.insert(partition_, record.position, std::get<CouponIssued>(record.event));
  database_.stored_through[partition_] = records.back().position;
  if (fate == Fate::committed_unheard)
    return make_error(ErrorCode::unknown_outcome, "the commit's outcome is not known");
  known_ = records.back().position;
  return {};
}

Result<LogPosition> DatabaseStore::stored_through() {
  known_ = database_.stored_through[partition_];
  return known_;
}

}  // namespace doorbuster::model
