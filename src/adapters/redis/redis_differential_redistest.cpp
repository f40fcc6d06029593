// Random histories: the scripts in a real Redis must say what core's ledger says, step by step. A failure
// names the seed; DOORBUSTER_TEST_SEED repeats it.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "adapters/memory/memory_ledger.hpp"
#include "adapters/redis/rebuildable_ledger.hpp"
#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {
namespace {

constexpr int kHistories = 12;
constexpr int kSteps = 300;
constexpr std::uint64_t kUsers = 40;
const char* const kIds[] = {"a", "b", "c"};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    probe_.set_time(clock_.now());
    EXPECT_TRUE(instance_.wait_ready());
    begin_with_holders();
  }

  void run() {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      switch (random_.below(12)) {
        case 0:
        case 1:
          advance();
          break;
        case 2:
        case 3:
          confirm();
          break;
        case 4:
          overdue();
          break;
        case 5:
          change();
          break;
        case 6:
          finish_changes();
          break;
        case 7:
          look();
          break;
        default:
          decide();
      }
    }
    for (const auto* id : kIds) compare_holders(id);
  }

 private:
  template <class T, class Call>
  Result<T> real(Call call) {
    probe_.set_time(clock_.now());
    return await<T>(executor_, [&](auto done) { call(instance_.ledger(), std::move(done)); });
  }
  template <class T, class Call>
  Result<T> model(Call call) {
    return await<T>(executor_, [&](auto done) { call(memory_, std::move(done)); });
  }
  template <class T, class Call>
  std::pair<Result<T>, Result<T>> both(Call call) {
    auto theirs = real<T>(call);
    auto ours = model<T>(call);
    EXPECT_EQ(theirs.has_value(), ours.has_value()) << (theirs ? "" : theirs.error().detail);
    if (!theirs && !ours) {
      EXPECT_EQ(theirs.error().code, ours.error().code);
    }
    return {std::move(theirs), std::move(ours)};
  }

  /// A recovery that found holders, with gaps between their numbers.
  void begin_with_holders() {
    RedisRebuildableLedger rebuild(redis_options(), scripts_with_test_clock());
    std::vector<CampaignDefinition> all;
    for (const auto* id : kIds) {
      auto definition = campaign(id, 3 + random_.below(30));
      if (random_.below(3) == 0)
        definition.starts_at = clock_.now() + std::chrono::milliseconds(random_.below(40));
      if (random_.below(3) == 0) definition.ends_at = clock_.now() + std::chrono::seconds(1);
      std::vector<CouponIssued> events;
      for (std::uint64_t number = 1; number <= definition.limit / 2 && events.size() < 5; ++number) {
        if (random_.below(2) == 0)
          events.push_back(coupon_event(id, number, UserId::from_integer(100 + number)));
      }
      EXPECT_TRUE(memory_.restore({++position_, CampaignChanged{definition}}).has_value());
      std::vector<NumberRange> missing;
      std::uint64_t before = 0;
      for (const auto& event : events) {
        EXPECT_TRUE(memory_.restore({++position_, event}).has_value());
        if (event.coupon.sequence > before + 1) missing.push_back({before + 1, event.coupon.sequence - 1});
        before = event.coupon.sequence;
        codes_[{definition.id, before}] = event.coupon.code;
      }
      EXPECT_TRUE(rebuild.close(definition).has_value());
      EXPECT_TRUE(rebuild.begin_rebuild(definition).has_value());
      EXPECT_TRUE(rebuild.add(definition, events, true).has_value());
      EXPECT_TRUE(rebuild.finish_rebuild(definition, missing).has_value());
      all.push_back(definition);
    }
    memory_.finish_restore();
    instance_.know(all);
  }

  void advance() { clock_.advance(std::chrono::milliseconds(random_.below(30))); }

  void compare(const CampaignId& id, const Decision& theirs, const Decision& ours) {
    EXPECT_EQ(to_text(theirs.outcome), to_text(ours.outcome));
    EXPECT_EQ(theirs.pending, ours.pending);
    EXPECT_EQ(theirs.refilled, ours.refilled);
    EXPECT_EQ(theirs.epoch, ours.epoch);
    EXPECT_EQ(theirs.revision, ours.revision);
    EXPECT_EQ(theirs.durability, ours.durability);
    EXPECT_EQ(theirs.coupon.user, ours.coupon.user);
    EXPECT_EQ(theirs.coupon.sequence, ours.coupon.sequence);
    EXPECT_EQ(theirs.coupon.decided_at, ours.coupon.decided_at);
    if (theirs.coupon.sequence == 0) return;
    // Each made codes of its own: what was once told stays.
    const auto code = codes_.try_emplace({id, theirs.coupon.sequence}, theirs.coupon.code).first->second;
    EXPECT_EQ(theirs.coupon.code, code);
  }

  void decide() {
    std::vector<IssueRequest> batch;
    for (auto n = 1 + random_.below(6); n > 0; --n) {
      batch.push_back({any_id(), UserId::from_integer(100 + random_.below(kUsers))});
    }
    auto [theirs, ours] = both<std::vector<Decision>>(
        [&](Ledger& ledger, auto done) { ledger.decide(batch, std::move(done)); });
    if (!theirs || !ours) return;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto& decision = (*theirs)[i];
      compare(batch[i].campaign, decision, (*ours)[i]);
      if (decision.outcome != Outcome::issued) continue;
      outboxes_[{batch[i].campaign, decision.outbox}].push_back(
          {batch[i].campaign, decision.epoch, decision.coupon.sequence, decision.outbox});
    }
  }

  void confirm() {
    std::vector<CouponKey> keys;
    for (auto entry = outboxes_.begin(); entry != outboxes_.end();) {
      if (random_.below(2) == 0) {
        keys.insert(keys.end(), entry->second.begin(), entry->second.end());
        // Some are told again, later.
        entry = random_.below(4) == 0 ? std::next(entry) : outboxes_.erase(entry);
      } else {
        ++entry;
      }
    }
    both<void>([&](Ledger& ledger, auto done) { ledger.confirm(keys, std::move(done)); });
  }

  void overdue() {
    const Duration older_than = std::chrono::milliseconds(1 + random_.below(40));
    auto [theirs, ours] = both<std::vector<PendingEvent>>(
        [&](Ledger& ledger, auto done) { ledger.take_overdue(older_than, 10'000, std::move(done)); });
    if (!theirs || !ours) return;
    std::map<std::pair<CampaignId, std::uint64_t>, CouponIssued> expected;
    for (auto& [event, outbox] : *ours) expected[{event.campaign, event.coupon.sequence}] = event;
    EXPECT_EQ(theirs->size(), expected.size());
    for (auto& [event, outbox] : *theirs) {
      auto& model_event = expected[{event.campaign, event.coupon.sequence}];
      model_event.coupon.code = event.coupon.code;
      EXPECT_EQ(event, model_event);
    }
  }

  void change() {
    const auto id = any_id();
    CampaignPatch patch;
    if (random_.below(2) == 0) patch.limit = random_.below(30);
    if (random_.below(4) == 0)
      patch.status = random_.below(2) == 0 ? CampaignStatus::paused : CampaignStatus::open;
    if (random_.below(4) == 0) patch.starts_at = clock_.now() + std::chrono::milliseconds(random_.below(20));
    auto [theirs, ours] = both<CampaignDefinition>(
        [&](Ledger& ledger, auto done) { ledger.begin_change(id, patch, std::move(done)); });
    if (!theirs || !ours) return;
    EXPECT_EQ(*theirs, *ours);
    changes_.push_back(*ours);
    if (random_.below(4) == 0) --changes_.back().revision;  // it could not be written
  }

  void finish_changes() {
    for (const auto& definition : std::exchange(changes_, {})) {
      both<void>([&](Ledger& ledger, auto done) { ledger.end_change(definition, std::move(done)); });
    }
  }

  void look() {
    const auto id = any_id();
    const auto user = UserId::from_integer(100 + random_.below(kUsers));
    auto [theirs, ours] = both<std::optional<Decision>>(
        [&](Ledger& ledger, auto done) { ledger.find(id, user, std::move(done)); });
    ASSERT_EQ(theirs->has_value(), ours->has_value());
    if (*theirs) compare(id, **theirs, **ours);
    auto [shown, expected] = both<std::optional<CampaignView>>(
        [&](Ledger& ledger, auto done) { ledger.show(id, std::move(done)); });
    ASSERT_TRUE(shown->has_value() && expected->has_value());
    EXPECT_EQ((*shown)->definition, (*expected)->definition);
    EXPECT_EQ((*shown)->issued, (*expected)->issued);
    EXPECT_EQ((*shown)->durable, (*expected)->durable);
    EXPECT_EQ((*shown)->state, (*expected)->state);
    EXPECT_EQ((*shown)->held, (*expected)->held);
    EXPECT_EQ((*shown)->missing, (*expected)->missing);
  }

  void compare_holders(const char* id) {
    auto [theirs, ours] = both<std::vector<Decision>>(
        [&](Ledger& ledger, auto done) { ledger.holders(campaign_id(id), 0, 1'000, std::move(done)); });
    ASSERT_EQ(theirs->size(), ours->size());
    for (std::size_t i = 0; i < ours->size(); ++i) compare(campaign_id(id), (*theirs)[i], (*ours)[i]);
  }

  CampaignId any_id() { return campaign_id(kIds[random_.below(3)]); }

  RedisProbe probe_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  SeededRandom random_;
  SeededRandom model_codes_{7};
  MemoryLedger memory_{clock_, model_codes_};
  RedisInstance instance_{executor_, 1};
  LogPosition position_ = 0;
  std::map<std::pair<CampaignId, std::uint64_t>, CouponCode> codes_;
  std::map<std::pair<CampaignId, std::uint64_t>, std::vector<CouponKey>> outboxes_;
  std::vector<CampaignDefinition> changes_;
};

TEST(RedisDifferential, SaysWhatTheCoreLedgerSays) {
  const char* given = std::getenv("DOORBUSTER_TEST_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < first + (given != nullptr ? 1 : kHistories); ++seed) {
    SCOPED_TRACE("DOORBUSTER_TEST_SEED=" + std::to_string(seed));
    History(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace doorbuster::test
