// What a row costs the worker's process on its way into MariaDB, by batch size; a batch that is told again;
// and a recovery's reading of the whole table. Needs a server beside it: tests/support/with_stack.py
// --mariadb.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/mariadb_store.hpp"
#include "adapters/mariadb/schema.hpp"
#include "base/random.hpp"
#include "tests/support/real_servers.hpp"

namespace doorbuster::mariadb {
namespace {

constexpr const char* kTopic = "benchmark";

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Stopwatch {
 public:
  void print(const char* what, std::uint64_t rows) const {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    std::printf("%-34s %8.2f us CPU a row %10.0f rows/s\n", what,
                (cpu_seconds() - cpu_) / static_cast<double>(rows) * 1e6, static_cast<double>(rows) / wall);
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

void need(const Result<void>& result) {
  if (result) return;
  std::fprintf(stderr, "%s\n", result.error().detail.c_str());
  std::exit(1);
}

/// A crowd: users in no order.
std::vector<LogRecord> crowd(const CampaignId& campaign, std::uint64_t count, SeededRandom& random) {
  std::vector<LogRecord> records(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    CouponIssued event;
    event.campaign = campaign;
    CouponCode::Bytes code{};
    random.fill(code);
    const auto user = (i * 0x9e3779b97f4a7c15ULL) >> 24;
    event.coupon = {UserId::from_integer(user), i + 1, CouponCode(code),
                    Timestamp(std::chrono::seconds(1'800'000'000)) + Duration(i)};
    records[i] = {i + 1, event};
  }
  return records;
}

int run(std::uint64_t rows) {
  ServerOptions server;
  const auto place = test::mariadb_place();
  server.host = place.host;
  server.port = place.port;
  server.user = test::mariadb_user();
  server.password = test::mariadb_password();
  server.name = test::mariadb_database();
  need(prepare_database(server));
  SeededRandom random(1);
  std::uint32_t partition = 0;
  for (const std::uint64_t batch : {100U, 1'000U, 10'000U}) {
    const auto each = *CampaignId::parse("drop-" + std::to_string(batch));
    const auto records = crowd(each, std::min(rows, 200 * batch), random);
    MariaDbCouponStore store(server, {kTopic, partition++, nullptr});
    std::vector<std::vector<LogRecord>> batches;
    for (std::size_t i = 0; i < records.size(); i += batch) {
      const auto from = records.begin() + static_cast<std::ptrdiff_t>(i);
      batches.emplace_back(from, from + static_cast<std::ptrdiff_t>(std::min(batch, records.size() - i)));
    }
    const Stopwatch watch;
    for (const auto& one : batches) need(store.store(one));
    watch.print(("store, batches of " + std::to_string(batch)).c_str(), records.size());
    if (batch != 10'000) continue;
    MariaDbRecoveryStore recovery(server, kTopic);
    need(recovery.rewind_to_start());
    if (!store.stored_through()) return 1;
    const Stopwatch again;
    for (const auto& one : batches) need(store.store(one));
    again.print("the same told again", records.size());
    std::uint64_t seen = 0;
    const Stopwatch reading;
    need(recovery.read_rows(each, [&](CouponIssued&&) -> Result<void> {
      ++seen;
      return {};
    }));
    reading.print("a recovery reads the table", seen);
  }
  return 0;
}

}  // namespace
}  // namespace doorbuster::mariadb

int main(int count, char** arguments) {
  return doorbuster::mariadb::run(count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 200'000);
}
