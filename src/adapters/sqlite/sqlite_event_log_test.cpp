#include "adapters/sqlite/sqlite_event_log.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "adapters/sqlite/test_parts.hpp"
#include "tests/support/fault_vfs.hpp"

namespace doorbuster::sqlite {
namespace {

TEST(SqliteEventLog, GivesBackWhatWasAppendedInOrder) {
  TemporaryFolder folder;
  {
    auto log = open_log(folder.log());
    ASSERT_TRUE(put(*log, definition()));
    ASSERT_TRUE(append(*log, coupon_events(1, 5)));
    ASSERT_TRUE(append(*log, coupon_events(6, 6)));
    EXPECT_EQ(log->stats().position, 7U);
    EXPECT_EQ(log->stats().events, 7U);
  }
  const auto records = read_all(folder.log());
  ASSERT_EQ(records.size(), 7U);
  EXPECT_EQ(std::get<CampaignChanged>(records[0].event).definition, definition());
  for (std::uint64_t sequence = 1; sequence <= 6; ++sequence) {
    EXPECT_EQ(records[sequence].position, sequence + 1);
    EXPECT_EQ(std::get<CouponIssued>(records[sequence].event), coupon_event(sequence));
  }
}

TEST(SqliteEventLog, KeepsEveryFieldOfADefinition) {
  TemporaryFolder folder;
  auto first = definition();
  first.name = "Größe \"1\"; DROP";
  first.starts_at = test::ManualClock::kStart + Duration(1);
  first.strategy = Strategy::set_incr;
  first.durability = Durability::ledger;
  first.epoch = 7;
  auto second = first;
  second.revision = 2;
  second.starts_at.reset();
  second.ends_at = test::ManualClock::kStart + Duration(2);
  second.status = CampaignStatus::paused;
  second.limit = kLargestLimit;
  {
    auto log = open_log(folder.log());
    ASSERT_TRUE(put(*log, first));
    ASSERT_TRUE(put(*log, second));
  }
  auto log = open_log(folder.log());
  EXPECT_EQ(*get(*log, first.id), second);
  const auto records = read_all(folder.log());
  EXPECT_EQ(std::get<CampaignChanged>(records.at(0).event).definition, first);
  EXPECT_EQ(std::get<CampaignChanged>(records.at(1).event).definition, second);
}

TEST(SqliteEventLog, PutsOnlyTheNextRevision) {
  TemporaryFolder folder;
  auto log = open_log(folder.log());
  auto one = definition();
  auto two = one;
  two.revision = 2;
  EXPECT_EQ(put(*log, two).error().code, ErrorCode::conflict);
  ASSERT_TRUE(put(*log, one));
  EXPECT_EQ(put(*log, one).error().code, ErrorCode::conflict);
  ASSERT_TRUE(put(*log, two));
  EXPECT_EQ(get(*log, one.id).value()->revision, 2U);
  EXPECT_EQ(count_all(folder.log()), 2U) << "what was refused is not in the log";
}

TEST(SqliteEventLog, ContinuesTheChainAfterAReopen) {
  TemporaryFolder folder;
  for (std::uint64_t run = 0; run < 3; ++run) {
    auto log = open_log(folder.log());
    ASSERT_TRUE(append(*log, coupon_events(run * 10 + 1, run * 10 + 10)));
    ASSERT_TRUE(append(*log, {coupon_event(run + 1, "other-" + std::to_string(run))}));
  }
  EXPECT_EQ(count_all(folder.log()), 33U);
}

TEST(SqliteEventLog, HasEverythingAfterTheProcessIsKilled) {
  TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    auto log = SqliteEventLog::open(folder.log());
    if (!log) ::_exit(1);
    const bool stored = append(**log, coupon_events(1, 100)) && append(**log, coupon_events(101, 150));
    ::_exit(stored ? 42 : 2);  // no destructor, no checkpoint
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 42);
  auto log = open_log(folder.log());
  EXPECT_EQ(log->stats().position, 150U);
  ASSERT_TRUE(append(*log, coupon_events(151, 151)));
  EXPECT_EQ(count_all(folder.log()), 151U);
}

TEST(SqliteEventLog, WritesTogetherWhatIsQueuedTogether) {
  TemporaryFolder folder;
  test::FaultVfs vfs;
  EventLogOptions options;
  options.vfs = vfs.name();
  // Before the log: its last sync, at its end, asks for them.
  std::atomic<bool> hold{true};
  std::atomic<bool> held{false};
  auto log = open_log(folder.log(), std::move(options));
  // The first commit is held until 50 more appends are queued: those must be one commit.
  vfs.on_sync([&](const std::string& file) {
    if (!file.ends_with("-wal")) return;
    held = true;
    while (hold) std::this_thread::yield();
  });
  auto& executor = test_executor();
  int answered = 0;
  const auto count = [&](Result<void> result) { answered += result ? 1 : 0; };
  log->append(coupon_events(1, 1), executor, count);
  while (!held) std::this_thread::yield();
  for (std::uint64_t i = 2; i <= 51; ++i) log->append(coupon_events(i, i), executor, count);
  EXPECT_EQ(log->stats().queued_events, 50U);
  EXPECT_EQ(executor.run_until_idle(), 0U) << "answered before its fsync";
  hold = false;
  EXPECT_TRUE(executor.wait_until([&] { return answered == 51; }));
  EXPECT_EQ(log->stats().commits, 2U);
  EXPECT_EQ(log->stats().events, 51U);
}

TEST(SqliteEventLog, RefusesWhatItsQueueCannotHold) {
  TemporaryFolder folder;
  test::FaultVfs vfs;
  EventLogOptions options;
  options.vfs = vfs.name();
  options.most_queued_events = 10;
  // Before the log: its last sync, at its end, asks for them.
  std::atomic<bool> hold{true};
  std::atomic<bool> held{false};
  auto log = open_log(folder.log(), std::move(options));
  vfs.on_sync([&](const std::string&) {
    held = true;
    while (hold) std::this_thread::yield();
  });
  auto& executor = test_executor();
  std::vector<std::optional<ErrorCode>> answers;
  const auto note = [&](Result<void> result) {
    answers.push_back(result ? std::nullopt : std::optional(result.error().code));
  };
  log->append(coupon_events(1, 1), executor, note);
  while (!held) std::this_thread::yield();
  log->append(coupon_events(2, 7), executor, note);
  EXPECT_TRUE(log->accepting());
  log->append(coupon_events(8, 12), executor, note);
  executor.run_until_idle();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0], ErrorCode::overloaded);
  log->append(coupon_events(8, 11), executor, note);
  EXPECT_FALSE(log->accepting());
  hold = false;
  EXPECT_TRUE(executor.wait_until([&] { return answers.size() == 4; }));
  EXPECT_TRUE(log->accepting());
  log->stop();
  EXPECT_EQ(count_all(folder.log()), 11U);
}

TEST(SqliteEventLog, AnswersEverybodyWhenItStops) {
  TemporaryFolder folder;
  auto log = open_log(folder.log());
  auto& executor = test_executor();
  int stored = 0;
  std::optional<ErrorCode> late;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    log->append(coupon_events(i, i), executor, [&](Result<void> result) { stored += result ? 1 : 0; });
  }
  log->stop();
  log->append(coupon_events(21, 21), executor, [&](Result<void> result) { late = result.error().code; });
  executor.run_until_idle();
  EXPECT_EQ(stored, 20);
  EXPECT_EQ(late, ErrorCode::unavailable);
  EXPECT_FALSE(log->accepting());
  EXPECT_EQ(count_all(folder.log()), 20U);
}

TEST(SqliteEventLog, TellsItsObserverOfEachCommit) {
  TemporaryFolder folder;
  std::atomic<std::size_t> events{0};
  EventLogOptions options;
  options.on_commit = [&](Duration took, std::size_t count) {
    EXPECT_GE(took.count(), 0);
    events += count;
  };
  auto log = open_log(folder.log(), std::move(options));
  ASSERT_TRUE(append(*log, coupon_events(1, 12)));
  ASSERT_TRUE(append(*log, coupon_events(13, 13)));
  log->stop();
  EXPECT_EQ(events, 13U);
}

TEST(SqliteEventLog, KeepsTheWriteAheadLogSmall) {
  TemporaryFolder folder;
  EventLogOptions options;
  options.checkpoint_bytes = 64 * 1024;
  options.gather = Duration::zero();
  auto log = open_log(folder.log(), std::move(options));
  std::int64_t largest = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(append(*log, coupon_events(i * 20 + 1, i * 20 + 20)));
    largest = std::max(largest, log->stats().wal_bytes);
  }
  EXPECT_GT(largest, 0);
  // Without checkpoints it would reach 1.7 MB. A checkpoint thread that gets no CPU for a while lets it grow.
  EXPECT_LT(largest, 16 * 64 * 1024);
  EXPECT_EQ(count_all(folder.log()), 6000U);
}

TEST(SqliteEventLog, KeepsTheWriteAheadLogSmallWhileSomebodyReadsSlowly) {
  TemporaryFolder folder;
  EventLogOptions options;
  options.checkpoint_bytes = 64 * 1024;
  auto log = open_log(folder.log(), std::move(options));
  ASSERT_TRUE(append(*log, coupon_events(1, 10'000)));  // more than a rebuild reads ahead
  std::promise<void> stuck;
  std::promise<void> released;
  std::thread reader([&, go_on = released.get_future()] {
    const auto read = rebuild(folder.log(), [&](LogRecord&& record) -> Result<void> {
      if (record.position == 1) {
        stuck.set_value();
        go_on.wait();
      }
      return {};
    });
    EXPECT_EQ(read.value(), 16'000U) << "what came meanwhile, too";
  });
  stuck.get_future().wait();
  std::int64_t largest = 0;
  for (std::uint64_t i = 500; i < 800; ++i) {
    ASSERT_TRUE(append(*log, coupon_events(i * 20 + 1, i * 20 + 20)));
    largest = std::max(largest, log->stats().wal_bytes);
  }
  released.set_value();
  reader.join();
  EXPECT_LT(largest, 20 * 64 * 1024);
}

TEST(SqliteEventSource, ReadsOnFromAnyPosition) {
  TemporaryFolder folder;
  auto log = open_log(folder.log());
  auto source = SqliteEventSource::open(folder.log());
  ASSERT_TRUE(source) << source.error().detail;
  EXPECT_TRUE((*source)->read(0, 10)->empty());
  EXPECT_EQ(*(*source)->end(), 0U);
  ASSERT_TRUE(append(*log, coupon_events(1, 25)));
  EXPECT_EQ((*source)->read(0, 10)->size(), 10U);
  EXPECT_EQ((*source)->read(10, 10)->front().position, 11U);
  EXPECT_EQ((*source)->read(20, 10)->size(), 5U);
  EXPECT_TRUE((*source)->read(25, 10)->empty());
  EXPECT_EQ((*source)->read(3, 2)->back().position, 5U);
  ASSERT_TRUE(append(*log, {coupon_event(1, "a-campaign-it-has-not-seen")}));
  EXPECT_EQ(std::get<CouponIssued>((*source)->read(25, 10)->at(0).event).campaign,
            campaign_id("a-campaign-it-has-not-seen"));
  EXPECT_EQ(*(*source)->end(), 26U);
  EXPECT_TRUE((*source)->read(27, 1)->empty());
  EXPECT_EQ((*source)->read(26, 1)->size(), 0U);
}

TEST(SqliteEventSource, WakesWhenTheLogGrows) {
  TemporaryFolder folder;
  auto log = open_log(folder.log());
  for (const bool same_process : {true, false}) {
    auto source = SqliteEventSource::open(folder.log(), same_process ? log->signal() : nullptr);
    ASSERT_TRUE(source);
    const auto end = *(*source)->end();
    std::thread appender([&] { EXPECT_TRUE(append(*log, coupon_events(end + 1, end + 1))); });
    (*source)->wait(end, std::chrono::seconds(60));
    EXPECT_EQ((*source)->read(end, 10)->size(), 1U);
    appender.join();
  }
}

}  // namespace
}  // namespace doorbuster::sqlite
