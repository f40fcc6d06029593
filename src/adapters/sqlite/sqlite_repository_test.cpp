#include "adapters/sqlite/sqlite_repository.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "adapters/sqlite/test_parts.hpp"
#include "services/worker/worker.hpp"
#include "tests/support/fault_vfs.hpp"

namespace doorbuster::sqlite {
namespace {

constexpr auto kNow = test::ManualClock::kStart;

std::unique_ptr<SqliteRepository> open_repository(const std::string& path, const std::string& vfs = {}) {
  auto repository = SqliteRepository::open(path, vfs);
  EXPECT_TRUE(repository) << repository.error().detail;
  return repository ? std::move(*repository) : nullptr;
}

std::vector<LogRecord> records(const std::vector<CouponIssued>& events, LogPosition first = 1) {
  std::vector<LogRecord> all;
  for (const auto& event : events) all.push_back({first++, event});
  return all;
}

/// Everything a user of the repository can see.
std::string contents(SqliteRepository& repository) {
  std::string text = std::to_string(*repository.stored_through()) + "\n";
  for (const auto& coupon : *repository.list(campaign_id(), 0, 1'000'000)) {
    text += std::to_string(coupon.coupon.sequence) + " " + std::string(coupon.coupon.user.text()) + " " +
            coupon.coupon.code.text() + " " + to_text(coupon.coupon.decided_at) +
            (coupon.refilled ? " refilled" : "") +
            (coupon.redeemed_at ? " redeemed " + to_text(*coupon.redeemed_at) : "") + "\n";
  }
  for (const auto& letter : *repository.dead_letters(1000)) {
    text += std::to_string(letter.position) + " " + letter.reason + " " + letter.event + "\n";
  }
  return text;
}

TEST(SqliteRepository, FindsWhatWasStored) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  ASSERT_TRUE(repository->store(records(coupon_events(1, 9))));
  for (std::uint64_t sequence = 1; sequence <= 9; ++sequence) {
    const auto expected = coupon_event(sequence).coupon;
    EXPECT_EQ(repository->find(expected.code).value()->coupon, expected);
    EXPECT_EQ(repository->find(campaign_id(), expected.user).value()->coupon, expected);
  }
  EXPECT_FALSE(repository->find(code_of(10)).value());
  EXPECT_FALSE(repository->find(campaign_id("other"), coupon_event(1).coupon.user).value());
  EXPECT_EQ(*repository->stored_through(), 9U);
}

TEST(SqliteRepository, ListsUpToTheFirstGapOnly) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  const auto listed = [&] { return repository->list(campaign_id(), 0, 100)->size(); };
  ASSERT_TRUE(repository->store(records({coupon_event(2), coupon_event(5)}, 1)));
  EXPECT_EQ(listed(), 0U);
  ASSERT_TRUE(repository->store(records({coupon_event(1)}, 3)));
  EXPECT_EQ(listed(), 2U);
  ASSERT_TRUE(repository->store(records({coupon_event(4), coupon_event(3)}, 4)));
  EXPECT_EQ(listed(), 5U);
  EXPECT_EQ(*repository->watermark(campaign_id()), 5U);
  const auto page = *repository->list(campaign_id(), 2, 2);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].coupon.sequence, 3U);
  repository.reset();
  repository = open_repository(folder.repository());
  ASSERT_TRUE(repository->store(records({coupon_event(7), coupon_event(6)}, 6)));
  EXPECT_EQ(listed(), 7U);
}

TEST(SqliteRepository, MakesDeadLettersOfContradictionsAndGoesOn) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  auto same_number = coupon_event(2);
  same_number.coupon.user = UserId::from_integer(77);
  same_number.coupon.code = code_of(77);
  auto same_user = coupon_event(9);
  same_user.coupon.user = coupon_event(1).coupon.user;
  auto same_code = coupon_event(10);
  same_code.coupon.code = coupon_event(1).coupon.code;
  auto other_time = coupon_event(1);
  other_time.coupon.decided_at += Duration(1);
  ASSERT_TRUE(repository->store(records(
      {coupon_event(1), coupon_event(2), same_number, same_user, same_code, other_time, coupon_event(3)})));
  const auto letters = *repository->dead_letters(10);
  ASSERT_EQ(letters.size(), 4U);
  EXPECT_EQ(letters[0].position, 3U);
  for (const auto& letter : letters) EXPECT_TRUE(letter.reason.starts_with("conflict: ")) << letter.reason;
  EXPECT_NE(letters[0].reason.find("number 2"), std::string::npos) << letters[0].reason;
  EXPECT_NE(letters[1].reason.find("user 1001 holds number 1"), std::string::npos) << letters[1].reason;
  EXPECT_NE(letters[2].reason.find("code"), std::string::npos) << letters[2].reason;
  EXPECT_EQ(repository->list(campaign_id(), 0, 10)->size(), 3U);
  EXPECT_EQ(repository->find(campaign_id(), coupon_event(2).coupon.user).value()->coupon,
            coupon_event(2).coupon);
  EXPECT_EQ(*repository->stored_through(), 7U);
  EXPECT_EQ(repository->stats().dead_letters, 4U);
}

TEST(SqliteRepository, TakesAnEqualEventTwice) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  auto again = coupon_event(1);
  again.revision = 2;  // written again after the definition was changed
  again.instance = InstanceName("api-8082");
  ASSERT_TRUE(repository->store(records({coupon_event(1), coupon_event(1), again})));
  EXPECT_TRUE(repository->dead_letters(10)->empty());
  EXPECT_EQ(repository->stats().rows, 1U);
}

TEST(SqliteRepository, RedeemsOnce) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  ASSERT_TRUE(repository->store(records(coupon_events(1, 2))));
  const auto first = repository->redeem(code_of(1), "key-a", kNow);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->repeated);
  const auto again = repository->redeem(code_of(1), "key-a", kNow + Duration(5));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->redeemed_at, kNow);
  EXPECT_EQ(repository->redeem(code_of(1), "key-b", kNow).error().code, ErrorCode::conflict);
  EXPECT_EQ(repository->redeem(code_of(3), "key-a", kNow).error().code, ErrorCode::not_found);
  EXPECT_EQ(repository->find(code_of(1)).value()->redeemed_at, kNow);
  EXPECT_FALSE(repository->find(code_of(2)).value()->redeemed_at);
  EXPECT_TRUE(repository->redeem(code_of(2), "key-a", kNow)) << "one key may serve two coupons";
}

TEST(SqliteRepository, HasARedemptionAfterTheProcessIsKilled) {
  TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    auto repository = SqliteRepository::open(folder.repository());
    const bool done = repository && (*repository)->store(records(coupon_events(1, 3))) &&
                      (*repository)->redeem(code_of(2), "k", kNow);
    ::_exit(done ? 42 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 42);
  auto repository = open_repository(folder.repository());
  EXPECT_EQ(repository->find(code_of(2)).value()->redeemed_at, kNow);
  EXPECT_EQ(*repository->stored_through(), 3U);
}

TEST(SqliteRepository, AReplayFromTheBeginningChangesNothing) {
  TemporaryFolder folder;
  auto log = open_log(folder.log());
  ASSERT_TRUE(put(*log, definition()));
  auto contradiction = coupon_event(50);
  contradiction.coupon.user = UserId::from_integer(5);
  contradiction.coupon.code = code_of(5000);
  auto events = coupon_events(1, 100);
  events.push_back(coupon_event(7));
  events.push_back(contradiction);
  ASSERT_TRUE(append(*log, events));
  auto repository = open_repository(folder.repository());
  auto source = SqliteEventSource::open(folder.log());
  ASSERT_TRUE(source);
  worker::Worker worker(**source, *repository, {.batch = 16});
  while (*worker.step() > 0) {
  }
  ASSERT_TRUE(repository->redeem(code_of(4), "k", kNow));
  const auto before = contents(*repository);
  EXPECT_NE(before.find("redeemed"), std::string::npos);
  EXPECT_NE(before.find("conflict"), std::string::npos);
  for (LogPosition position = 0; position < 103;) {
    const auto batch = *(*source)->read(position, 10);
    ASSERT_TRUE(repository->store(batch));
    position = batch.back().position;
  }
  EXPECT_EQ(contents(*repository), before);
}

TEST(SqliteRepository, ReplaysDeadLettersThatFitNow) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  auto other = coupon_event(2);
  other.coupon.user = UserId::from_integer(99);
  other.coupon.code = code_of(99);
  ASSERT_TRUE(repository->store(records({coupon_event(1), other, coupon_event(2)})));
  ASSERT_EQ(repository->dead_letters(10)->size(), 1U);
  EXPECT_EQ(*repository->replay_dead_letters(), 0U);
  {
    auto database = Database::open(folder.repository(), OpenMode::read_write);
    ASSERT_TRUE(database->execute("DELETE FROM coupon WHERE sequence = 2"));
  }
  EXPECT_EQ(*repository->replay_dead_letters(), 1U);
  EXPECT_TRUE(repository->dead_letters(10)->empty());
  EXPECT_EQ(repository->find(code_of(2)).value()->coupon, coupon_event(2).coupon);
}

TEST(SqliteRepository, StoresABatchWholeOrNotAtAll) {
  TemporaryFolder folder;
  test::FaultVfs vfs;
  auto repository = open_repository(folder.repository(), vfs.name());
  ASSERT_TRUE(repository->store(records(coupon_events(1, 10))));
  const auto before = contents(*repository);
  for (const auto operation : {test::FaultVfs::Operation::write, test::FaultVfs::Operation::sync}) {
    for (int nth : {1, 2, 4}) {
      vfs.fail(operation, operation == test::FaultVfs::Operation::sync ? 1 : nth,
               operation == test::FaultVfs::Operation::sync ? SQLITE_IOERR_FSYNC : SQLITE_FULL);
      const auto stored = repository->store(records(coupon_events(11, 200), 11));
      EXPECT_EQ(stored.error().code, ErrorCode::unavailable);
      const auto redeemed = repository->redeem(code_of(1), "k", kNow);
      EXPECT_FALSE(redeemed);
      vfs.heal();
      EXPECT_EQ(contents(*repository), before);
    }
  }
  ASSERT_TRUE(repository->store(records(coupon_events(11, 200), 11)));
  EXPECT_EQ(repository->list(campaign_id(), 0, 1000)->size(), 200U);
}

TEST(SqliteRepository, IsReadAndRedeemedWhileTheWorkerWrites) {
  TemporaryFolder folder;
  auto repository = open_repository(folder.repository());
  ASSERT_TRUE(repository->store(records(coupon_events(1, 100))));
  std::thread reader([&] {
    std::size_t seen = 0;
    while (seen < 2000) {
      const auto listed = repository->list(campaign_id(), 0, 5000);
      ASSERT_TRUE(listed) << listed.error().detail;
      ASSERT_GE(listed->size(), seen);
      seen = listed->size();
      ASSERT_EQ(seen, listed->back().coupon.sequence) << "a gap below the watermark";
    }
  });
  std::thread merchant([&] {
    for (std::uint64_t i = 1; i <= 20; ++i) {
      const auto redeemed = repository->redeem(code_of(i), "k", kNow);
      ASSERT_TRUE(redeemed) << redeemed.error().detail;
    }
  });
  for (std::uint64_t i = 100; i < 2000; i += 100) {
    ASSERT_TRUE(repository->store(records(coupon_events(i + 1, i + 100), i + 1)));
  }
  reader.join();
  merchant.join();
}

TEST(SqliteRepository, RefusesALaterFormat) {
  TemporaryFolder folder;
  open_repository(folder.repository()).reset();
  {
    auto database = Database::open(folder.repository(), OpenMode::read_write);
    ASSERT_TRUE(database->execute("PRAGMA user_version=2"));
  }
  const auto repository = SqliteRepository::open(folder.repository());
  ASSERT_FALSE(repository);
  EXPECT_EQ(repository.error().code, ErrorCode::unsupported);
  EXPECT_NE(repository.error().detail.find("repo.db: a coupon repository of format 2"), std::string::npos)
      << repository.error().detail;
}

TEST(SqliteRepository, AheadOfTheLogIsRefusedInOneLine) {
  EXPECT_TRUE(check_not_ahead(10, 10, "data"));
  EXPECT_TRUE(check_not_ahead(0, 10, "data"));
  const auto checked = check_not_ahead(11, 10, "data");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::corrupt);
  EXPECT_NE(checked.error().detail.find("up to position 11, but log.db ends at 10"), std::string::npos);
}

}  // namespace
}  // namespace doorbuster::sqlite
