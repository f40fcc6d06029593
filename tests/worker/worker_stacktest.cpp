// `doorbuster worker` between a real Kafka and a real MariaDB: what is in the log is in the database, once,
// whoever is killed.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/kafka/test_parts.hpp"
#include "adapters/kafka/topics.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/mariadb/test_parts.hpp"
#include "base/random.hpp"
#include "net/http_client.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;
using kafka::becomes_true;
using test::append;
using test::coupon_event;
using test::tell_stack;
using testing::HasSubstr;
using testing::StartsWith;

/// `doorbuster worker ...` as a process.
class WorkerProgram {
 public:
  WorkerProgram(const kafka::KafkaOptions& log, const mariadb::ServerOptions& database) {
    arguments_ = {test::from_stack("DOORBUSTER_BINARY"),
                  "worker",
                  "--port",
                  "0",
                  "--batch",
                  "50",
                  "--kafka-brokers",
                  log.brokers,
                  "--kafka-topic",
                  log.topic,
                  "--kafka-dead-letter-topic",
                  log.dead_letter_topic,
                  "--kafka-group",
                  log.group,
                  "--kafka-partitions",
                  std::to_string(log.partitions),
                  "--database-port",
                  std::to_string(database.port),
                  "--database-name",
                  database.name};
  }
  ~WorkerProgram() { end(SIGKILL); }
  WorkerProgram(const WorkerProgram&) = delete;
  WorkerProgram& operator=(const WorkerProgram&) = delete;

  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = arguments_;
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::setenv("DOORBUSTER_DATABASE_PASSWORD", test::mariadb_password().c_str(), 1);
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  void signal(int number) const { ::kill(pid_, number); }
  /// \returns the exit status, 128 and the signal when it was killed
  int end(int number) {
    if (pid_ <= 0) return -1;
    signal(number);
    return wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    ::close(output_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// Everything that it writes to stdout, until it ends.
  std::string read_to_end() {
    std::string text;
    char part[4096];
    for (ssize_t got = 0; (got = ::read(output_, part, sizeof part)) > 0;)
      text.append(part, static_cast<std::size_t>(got));
    wait();
    return text;
  }

 private:
  std::vector<std::string> arguments_;
  pid_t pid_ = 0;
  int output_ = -1;
};

class WorkerTest : public testing::Test {
 protected:
  /// Events of users `first` to `last`, as an api process appends them.
  void fill(std::uint64_t first, std::uint64_t last) {
    for (; first <= last; first += 50) {
      std::vector<CouponIssued> events;
      for (auto number = first; number < first + 50 && number <= last; ++number)
        events.push_back(coupon_event("sale", number));
      appended_ = last;
      ASSERT_TRUE(becomes_true([&] { return append(*log_, executor_, events).has_value(); }));
    }
  }
  std::int64_t rows() { return mariadb::number(database_, "SELECT COUNT(*) FROM coupon_issued_user"); }
  bool all_stored(std::chrono::seconds patience = 60s) {
    return becomes_true([&] { return rows() == static_cast<std::int64_t>(appended_); }, patience);
  }
  /// Every coupon once, with its own number, and every position at its end.
  void expect_everything_once() {
    ASSERT_TRUE(all_stored()) << rows() << " rows of " << appended_;
    EXPECT_EQ(mariadb::number(database_, "SELECT COUNT(DISTINCT user_id) FROM coupon_issued_user"), rows());
    EXPECT_EQ(mariadb::number(database_, "SELECT MAX(sequence) FROM coupon_issued_user"), rows());
    const auto ends = kafka::open_reader(log_options_)->ends().value();
    EXPECT_TRUE(becomes_true([&] {
      auto stored = mariadb::MariaDbRecoveryStore(database_, log_options_.topic).stored_through(ends.size());
      return stored && *stored == ends;
    }));
    EXPECT_EQ(mariadb::number(database_, "SELECT COUNT(*) FROM dead_letter"), 0);
  }

  kafka::KafkaOptions log_options_ = kafka::fresh_options(3);
  mariadb::ServerOptions database_ = mariadb::fresh_database();
  test::ManualExecutor executor_;
  std::unique_ptr<kafka::KafkaEventLog> log_ = kafka::open_log(log_options_);
  std::uint64_t appended_ = 0;
};

TEST_F(WorkerTest, MovesTheLogIntoTheDatabaseAndStopsInOrder) {
  fill(1, 500);
  WorkerProgram worker(log_options_, database_);
  worker.start();
  expect_everything_once();
  fill(501, 700);
  expect_everything_once();
  EXPECT_EQ(worker.end(SIGTERM), 0);
}

TEST_F(WorkerTest, PutsAsideWhatItCannotStoreAndGoesOn) {
  fill(1, 10);
  auto other_code = coupon_event("sale", 3);
  other_code.coupon.code = CouponCode({9, 9, 9});
  ASSERT_TRUE(append(*log_, executor_, {other_code}));
  ASSERT_TRUE(log_->append_payload(0, "k", "no event", 10s));
  fill(11, 20);
  WorkerProgram worker(log_options_, database_);
  worker.start();
  ASSERT_TRUE(becomes_true(
      [&] { return rows() == 20 && mariadb::number(database_, "SELECT COUNT(*) FROM dead_letter") == 2; }));

  // The topic has both, with reasons; read as if it were a log.
  auto dead = log_options_;
  dead.topic = log_options_.dead_letter_topic;
  const auto letters = kafka::read_all(dead);
  ASSERT_EQ(letters.size(), 2U);
  int unreadable = 0;
  for (const auto& letter : letters) {
    if (const auto* poison = std::get_if<Unreadable>(&letter.event)) {
      EXPECT_EQ(poison->payload, "no event");
      ++unreadable;
    } else {
      EXPECT_EQ(letter.event, Event(other_code));
    }
  }
  EXPECT_EQ(unreadable, 1);

  // Nothing has changed: both stay.
  WorkerProgram replay(log_options_, database_);
  replay.start({"replay"});
  EXPECT_THAT(replay.read_to_end(), StartsWith("0 dead letters stored or found void; 2 stay\n"));
  // The row that it contradicts is taken away by hand: now the letter fits.
  ASSERT_TRUE(mariadb::connect(database_)->execute("DELETE FROM coupon_issued_user WHERE sequence = 3"));
  replay.start({"replay"});
  const auto said = replay.read_to_end();
  EXPECT_THAT(said, StartsWith("1 dead letters stored or found void; 1 stay\n"));
  EXPECT_THAT(said, HasSubstr("poison: "));
  EXPECT_EQ(rows(), 20);
  EXPECT_EQ(worker.end(SIGTERM), 0);
}

TEST_F(WorkerTest, SeveralShareTheLogAndAnyOfThemMayBeKilled) {
  constexpr int kWorkers = 3;
  std::vector<std::unique_ptr<WorkerProgram>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.push_back(std::make_unique<WorkerProgram>(log_options_, database_));
    workers.back()->start();
  }
  SystemRandom random;
  std::uint64_t next = 1;
  for (int round = 0; round < 4; ++round) {
    fill(next, next + 499);
    next += 500;
    std::uint8_t byte[1];
    random.fill(byte);
    auto& victim = *workers[byte[0] % kWorkers];
    EXPECT_EQ(victim.end(SIGKILL), 128 + SIGKILL);
    victim.start();
  }
  expect_everything_once();
}

TEST_F(WorkerTest, OneThatWasStoppedForLongCannotWriteForAnother) {
  WorkerProgram sleeper(log_options_, database_);
  sleeper.start();
  fill(1, 200);
  ASSERT_TRUE(all_stored());
  sleeper.signal(SIGSTOP);
  WorkerProgram other(log_options_, database_);
  other.start();
  fill(201, 600);
  ASSERT_TRUE(all_stored()) << "the group gives the partitions to the one that answers";
  sleeper.signal(SIGCONT);
  fill(601, 800);
  expect_everything_once();
  EXPECT_EQ(other.end(SIGTERM), 0);
  fill(801, 900);
  expect_everything_once();
}

TEST_F(WorkerTest, GoesOnAfterBrokerAndDatabaseWereKilled) {
  WorkerProgram worker(log_options_, database_);
  worker.start();
  fill(1, 300);
  ASSERT_TRUE(all_stored());  // it is at work: a worker that finds no database at its start says so and ends
  ASSERT_EQ(tell_stack("kill9 mariadb"), "");
  fill(301, 600);
  ASSERT_EQ(tell_stack("kill9 kafka"), "");
  ASSERT_EQ(tell_stack("start mariadb"), "");
  ASSERT_EQ(tell_stack("start kafka"), "");
  fill(601, 700);
  expect_everything_once();
}

TEST_F(WorkerTest, ReplayedFromTheStartItChangesNothing) {
  fill(1, 300);
  WorkerProgram worker(log_options_, database_);
  worker.start();
  ASSERT_TRUE(all_stored());
  mariadb::RepositoryOptions options;
  options.server = database_;
  options.topic = log_options_.topic;
  mariadb::MariaDbRepository repository(options);
  ASSERT_TRUE(repository.redeem(coupon_event("sale", 7).coupon.code, "till-1", test::ManualClock::kStart));
  EXPECT_EQ(worker.end(SIGTERM), 0);
  ASSERT_TRUE(mariadb::MariaDbRecoveryStore(database_, log_options_.topic).rewind_to_start());
  worker.start();
  expect_everything_once();
  const auto redeemed = repository.find(coupon_event("sale", 7).coupon.code);
  ASSERT_TRUE(redeemed && *redeemed);
  EXPECT_EQ((*redeemed)->redeemed_at, test::ManualClock::kStart);
}

TEST_F(WorkerTest, AfterALossOfTheLogItBeginsAnewOnlyWhenARecoverySaysSo) {
  WorkerProgram worker(log_options_, database_);
  worker.start();
  fill(1, 200);
  ASSERT_TRUE(all_stored());
  mariadb::MariaDbRecoveryStore recovery(database_, log_options_.topic);
  ASSERT_TRUE(becomes_true([&] {
    const auto noted = recovery.log_identity();
    return noted && !noted->empty();
  }));
  for (const auto* command : {"kill9 kafka", "wipe kafka", "start kafka"}) ASSERT_EQ(tell_stack(command), "");
  // The log is filled again, and grows beyond what it was: positions in the database would be wrong ones.
  ASSERT_TRUE(kafka::ensure_topics(log_options_));
  fill(1, 300);
  const auto identity = kafka::topic_identity(log_options_);
  ASSERT_TRUE(identity);
  EXPECT_NE(*identity, recovery.log_identity().value());
  // As `doorbuster recover` does it.
  ASSERT_TRUE(recovery.rewind_to_start());
  ASSERT_TRUE(recovery.note_log_identity(*identity));
  expect_everything_once();
  fill(301, 400);
  expect_everything_once();
}

}  // namespace
}  // namespace doorbuster
