// What one decision costs: new, repeated, refused, in a campaign of a million holders; and what an event
// costs. Users are spread, so that each look-up meets memory that no earlier one has warmed.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "adapters/memory/memory_ledger.hpp"
#include "proto/event/event_bytes.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster {
namespace {

constexpr std::uint64_t kHolders = 1'000'000;
const Timestamp kNow{std::chrono::seconds{1'795'597'200}};

class StandingClock final : public Clock {
 public:
  Timestamp now() override { return kNow; }
};

CampaignDefinition sale(std::uint64_t limit) {
  CampaignDefinition definition;
  definition.id = CampaignId::parse("sale").value();
  definition.name = "Sale";
  definition.limit = limit;
  return definition;
}

/// A permutation of 0..2^40-1 (odd factor): no user twice, and none near its neighbour.
UserId spread(std::uint64_t i) {
  return UserId::from_integer(i * 0x9e3779b97f4a7c15U & ((std::uint64_t{1} << 40) - 1));
}
UserId named(std::uint64_t i) {
  return UserId::parse("user-" + std::to_string(i) + "@example.org").value();
}

using MakeUser = UserId (*)(std::uint64_t);

/// Sold out, all safe.
CampaignLedger full_ledger(MakeUser user) {
  SystemRandom random;
  CampaignLedger ledger(sale(kHolders));
  for (std::uint64_t i = 0; i < kHolders; ++i) {
    ledger.confirm(ledger.decide(user(i), kNow, random).coupon.sequence);
  }
  return ledger;
}
const CampaignLedger& full_of(MakeUser user) {
  static const CampaignLedger integers = full_ledger(spread);
  static const CampaignLedger names = full_ledger(named);
  return user == spread ? integers : names;
}

std::vector<UserId> users(MakeUser user, std::uint64_t first) {
  std::vector<UserId> made;
  for (std::uint64_t i = 0; i < (1U << 16); ++i) made.push_back(user(first + i * 7919 % kHolders));
  return made;
}

/// Fills a campaign from nothing to a million, confirming each: growth of the table is in the figure.
void decide_new(benchmark::State& state, MakeUser user) {
  SystemRandom random;
  std::unique_ptr<CampaignLedger> ledger;
  std::uint64_t next = kHolders;
  std::chrono::nanoseconds slowest{0};
  for (auto _ : state) {
    if (next == kHolders) {
      state.PauseTiming();
      ledger = std::make_unique<CampaignLedger>(sale(kHolders));
      next = 0;
      state.ResumeTiming();
    }
    const auto begun = std::chrono::steady_clock::now();
    const Decision decision = ledger->decide(user(next++), kNow, random);
    ledger->confirm(decision.coupon.sequence);
    benchmark::DoNotOptimize(decision);
    slowest = std::max<std::chrono::nanoseconds>(slowest, std::chrono::steady_clock::now() - begun);
  }
  state.counters["slowest_us"] = static_cast<double>(slowest.count()) / 1000;
}

void ask_again(benchmark::State& state, MakeUser user) {
  const CampaignLedger& ledger = full_of(user);
  const auto holders = users(user, 0);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(ledger.find(holders[i++ % holders.size()]));
  state.counters["bytes_per_holder"] = static_cast<double>(ledger.memory_bytes()) / kHolders;
}

void refuse(benchmark::State& state, MakeUser user) {
  CampaignLedger ledger = full_ledger(user);
  SystemRandom random;
  const auto strangers = users(user, kHolders);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ledger.decide(strangers[i++ % strangers.size()], kNow, random));
  }
}

/// Through the port: a batch of 64 that are refused, as behind a sold-out campaign.
void refuse_batch(benchmark::State& state) {
  StandingClock clock;
  SystemRandom random;
  MemoryLedger ledger(clock, random);
  ledger.finish_restore();
  ledger.open(sale(1), [](Result<void>) {});
  const CampaignId campaign = sale(1).id;
  ledger.decide({{campaign, spread(0)}}, [](auto) {});
  std::uint64_t i = 0;
  for (auto _ : state) {
    std::vector<IssueRequest> batch;
    batch.reserve(64);
    for (int k = 0; k < 64; ++k) batch.push_back({campaign, spread(++i)});
    ledger.decide(std::move(batch), [](Result<std::vector<Decision>> decisions) {
      benchmark::DoNotOptimize(decisions->data());
    });
  }
  state.SetItemsProcessed(state.iterations() * 64);
}

/// A start: a million records of the log become a ledger.
void rebuild(benchmark::State& state) {
  SystemRandom random;
  std::vector<LogRecord> records{{1, CampaignChanged{sale(kHolders)}}};
  for (std::uint64_t i = 0; i < kHolders; ++i) {
    CouponIssued event;
    event.campaign = sale(1).id;
    CouponCode::Bytes code;
    random.fill(code);
    event.coupon = {spread(i), i + 1, CouponCode(code), kNow};
    records.push_back({i + 2, event});
  }
  StandingClock clock;
  for (auto _ : state) {
    MemoryLedger ledger(clock, random);
    for (const LogRecord& record : records) DOORBUSTER_ASSERT(ledger.restore(record).has_value());
    ledger.finish_restore();
    benchmark::DoNotOptimize(&ledger);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}

CouponIssued sample_event() {
  CouponIssued event;
  event.campaign = sale(1).id;
  event.coupon = {spread(17), 17, CouponCode(), kNow};
  event.instance = InstanceName("api-1");
  return event;
}

void event_to_json(benchmark::State& state) {
  const Event event = sample_event();
  std::string out;
  for (auto _ : state) {
    out.clear();
    event::append_json(event, out);
    benchmark::DoNotOptimize(out.data());
  }
}

void event_from_json(benchmark::State& state) {
  const std::string text = event::to_json(sample_event());
  for (auto _ : state) benchmark::DoNotOptimize(event::from_json(text));
}

/// A row of the embedded log: its bytes and their checksum.
void events_to_row(benchmark::State& state) {
  const std::vector<CouponIssued> events(50, sample_event());
  std::string bytes;
  std::uint32_t crc = 0;
  for (auto _ : state) {
    bytes.clear();
    event::append_coupons(events, bytes);
    crc = event::chained_crc(crc, bytes);
    benchmark::DoNotOptimize(crc);
  }
  state.SetItemsProcessed(state.iterations() * 50);
}

void events_from_row(benchmark::State& state) {
  const std::vector<CouponIssued> events(50, sample_event());
  std::string bytes;
  event::append_coupons(events, bytes);
  Event event;
  for (auto _ : state) {
    auto reader = event::BytesReader::open(bytes);
    while (reader->left() > 0) benchmark::DoNotOptimize(reader->next(event));
  }
  state.SetItemsProcessed(state.iterations() * 50);
}

BENCHMARK_CAPTURE(decide_new, integer_user, spread)->Iterations(2 * kHolders);
BENCHMARK_CAPTURE(decide_new, named_user, named)->Iterations(kHolders);
BENCHMARK_CAPTURE(ask_again, integer_user, spread);
BENCHMARK_CAPTURE(ask_again, named_user, named);
BENCHMARK_CAPTURE(refuse, integer_user, spread);
BENCHMARK_CAPTURE(refuse, named_user, named);
BENCHMARK(refuse_batch);
BENCHMARK(rebuild)->Unit(benchmark::kMillisecond);
BENCHMARK(event_to_json);
BENCHMARK(event_from_json);
BENCHMARK(events_to_row);
BENCHMARK(events_from_row);

}  // namespace
}  // namespace doorbuster

BENCHMARK_MAIN();
