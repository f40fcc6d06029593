#include "adapters/redis/holder_pages.hpp"

#include <algorithm>

namespace doorbuster {

using redis::Reply;

namespace {

constexpr std::string_view kScanCount = "2000";
constexpr std::string_view kEntriesAtOnce = "1000";
/// Of somebody who did not ask for the last page.
constexpr Duration kKept = std::chrono::minutes(1);

template <class Done>
bool refused(const Result<Reply>& reply, Done& done) {
  if (!reply) {
    done(reply.error());
  } else if (reply->is_error()) {
    done(error_of(*reply));
  } else {
    return false;
  }
  return true;
}

}  // namespace

void RedisLedger::HolderPages::page(const CampaignId& campaign, std::uint64_t after, std::size_t max,
                                    Done<std::vector<Decision>> done) {
  if (after > 0 && campaign == campaign_) return done(cut(after, max));
  auto reading = std::make_shared<Reading>(Reading{campaign, after, max, std::move(done), {}});
  // Whether the campaign is there and may be believed is judged as for a look-up.
  const auto& known = core_.campaign(campaign);
  auto command = redis::LedgerCore::words({known.keys.definition, known.keys.holders, known.keys.outbox});
  command.add(known.guard).add("-");
  core_.connection.run(redis::ScriptId::find, std::move(command), [this, reading](Result<Reply> reply) {
    if (failed(core_, reading->campaign, reply, reading->done)) return;
    scan(reading, "0");
  });
}

void RedisLedger::HolderPages::scan(std::shared_ptr<Reading> reading, const std::string& cursor) {
  const redis::CampaignKeys keys(reading->campaign);
  core_.connection.send(
      {"HSCAN", keys.holders, cursor, "COUNT", kScanCount}, [this, reading](Result<Reply> reply) {
        if (refused(reply, reading->done)) return;
        const auto items = (*reply)[1];
        for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
          const auto user = UserId::parse(items[i].text());
          if (!user) continue;
          auto held = redis::read_holder(*user, items[i + 1].text());
          if (!held) return reading->done(held.error());
          reading->holders.push_back(std::move(*held));
        }
        if ((*reply)[0].text() != "0") return scan(reading, std::string((*reply)[0].text()));
        // A scan may tell of one twice while the table grows.
        auto& holders = reading->holders;
        std::sort(holders.begin(), holders.end(), [](const Decision& a, const Decision& b) {
          return std::pair(a.coupon.sequence, a.coupon.user) < std::pair(b.coupon.sequence, b.coupon.user);
        });
        holders.erase(std::unique(holders.begin(), holders.end(),
                                  [](const Decision& a, const Decision& b) { return a.coupon == b.coupon; }),
                      holders.end());
        read_outbox(reading, "-");
      });
}

/// After the scan: what was decided before it and is not in the outbox any more is safe.
void RedisLedger::HolderPages::read_outbox(std::shared_ptr<Reading> reading, const std::string& from) {
  const redis::CampaignKeys keys(reading->campaign);
  core_.connection.send({"XRANGE", keys.outbox, from, "+", "COUNT", kEntriesAtOnce},
                        [this, reading](Result<Reply> reply) {
                          if (refused(reply, reading->done)) return;
                          if (reply->size() == 0) return finish(*reading);
                          std::vector<std::uint64_t> pending;
                          for (std::size_t i = 0; i < reply->size(); ++i) {
                            pending.push_back(redis::packed_entry((*reply)[i][0].text()));
                          }
                          for (auto& holder : reading->holders) {
                            if (std::binary_search(pending.begin(), pending.end(), holder.outbox)) {
                              holder.pending = true;
                            }
                          }
                          const auto last = (*reply)[reply->size() - 1][0].text();
                          read_outbox(reading, "(" + std::string(last));
                        });
}

void RedisLedger::HolderPages::finish(Reading& reading) {
  campaign_ = reading.campaign;
  holders_ = std::move(reading.holders);
  const auto generation = ++generation_;
  core_.shard.after(kKept, [weak = std::weak_ptr<int>(alive_), this, generation] {
    if (!weak.expired() && generation == generation_) {
      campaign_ = {};
      holders_ = {};
    }
  });
  reading.done(cut(reading.after, reading.max));
}

std::vector<Decision> RedisLedger::HolderPages::cut(std::uint64_t after, std::size_t max) {
  const auto first = std::upper_bound(
      holders_.begin(), holders_.end(), after,
      [](std::uint64_t number, const Decision& holder) { return number < holder.coupon.sequence; });
  const auto count = std::min<std::size_t>(max, static_cast<std::size_t>(holders_.end() - first));
  std::vector<Decision> page(first, first + static_cast<std::ptrdiff_t>(count));
  if (count < max) {  // the last one
    campaign_ = {};
    holders_ = {};
  }
  return page;
}

}  // namespace doorbuster
