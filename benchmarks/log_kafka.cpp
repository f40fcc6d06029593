// What an event costs a process on its way into Kafka and out of it, by size of the append, with the time
// from append to acknowledgement. Needs a broker beside it: tests/support/with_stack.py --kafka.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <string>
#include <vector>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/kafka/kafka_log_reader.hpp"
#include "rt/shard.hpp"
#include "tests/support/real_servers.hpp"

namespace doorbuster::kafka {
namespace {

using SteadyClock = std::chrono::steady_clock;

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] void give_up(const Error& error) {
  std::fprintf(stderr, "%s\n", error.detail.c_str());
  std::exit(1);
}

CouponIssued event_of(std::uint64_t number) {
  CouponIssued event;
  event.campaign = *CampaignId::parse("drop");
  event.coupon.user = UserId::from_integer((number * 0x9e3779b97f4a7c15ULL) >> 24);
  event.coupon.sequence = number;
  event.coupon.code = CouponCode({1, 2, 3, 4, 5, 6, 7, 8, static_cast<std::uint8_t>(number), 0});
  event.coupon.decided_at = Timestamp(std::chrono::seconds(1'800'000'000)) + Duration(number);
  event.instance = InstanceName("api-1");
  return event;
}

/// Keeps so many appends in the air, each begun by the answer to one before: a closed loop, as a crowd is.
class Loop {
 public:
  Loop(KafkaEventLog& log, rt::Shard& shard, std::size_t batch, std::size_t appends, std::size_t in_the_air)
      : log_(log), shard_(shard), batch_(batch), left_(appends), open_(in_the_air) {}

  std::vector<double> run() {
    auto done = done_.get_future();
    shard_.post([this] {
      for (std::size_t i = open_; i > 0; --i) next();
    });
    done.wait();
    std::sort(milliseconds_.begin(), milliseconds_.end());
    return std::move(milliseconds_);
  }

 private:
  void next() {
    if (left_ == 0) {
      if (--open_ == 0) done_.set_value();
      return;
    }
    --left_;
    std::vector<CouponIssued> events(batch_);
    for (auto& event : events) event = event_of(++number_);
    log_.append(std::move(events), shard_, [this, began = SteadyClock::now()](Result<void> result) {
      if (!result) give_up(result.error());
      milliseconds_.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - began).count());
      next();
    });
  }

  KafkaEventLog& log_;
  rt::Shard& shard_;
  const std::size_t batch_;
  std::size_t left_;
  std::size_t open_;
  std::uint64_t number_ = 0;
  std::vector<double> milliseconds_;
  std::promise<void> done_;
};

int run(std::size_t events) {
  rt::Shard shard("io-0");
  shard.start();
  KafkaOptions options;
  options.brokers = test::kafka_brokers();
  for (const std::size_t batch : {1U, 16U, 256U}) {
    for (const std::size_t in_the_air : {1U, 8U}) {
      options.topic = "bench-" + std::to_string(batch) + "-" + std::to_string(in_the_air);
      options.dead_letter_topic = options.topic + "-dead";
      const auto log = KafkaEventLog::open(options);
      if (!log) give_up(log.error());
      const auto appends = std::min(events / batch, std::size_t{4000});
      (void)Loop(**log, shard, batch, 50, in_the_air).run();  // warm
      const auto began = SteadyClock::now();
      const auto cpu = cpu_seconds();
      const auto times = Loop(**log, shard, batch, appends, in_the_air).run();
      const auto count = static_cast<double>(appends * batch);
      const double wall = std::chrono::duration<double>(SteadyClock::now() - began).count();
      std::printf(
          "append %3zu at once, %zu in the air: %6.2f us CPU an event %9.0f events/s p50 %6.2f p99 %6.2f "
          "ms\n",
          batch, in_the_air, (cpu_seconds() - cpu) / count * 1e6, count / wall, times[times.size() / 2],
          times[times.size() * 99 / 100]);
    }
  }
  const auto reader = KafkaLogReader::open(options);
  if (!reader) give_up(reader.error());
  const auto ends = (*reader)->ends();
  if (!ends) give_up(ends.error());
  const auto began = SteadyClock::now();
  const auto cpu = cpu_seconds();
  std::size_t count = 0;
  for (std::size_t partition = 0; partition < ends->size(); ++partition) {
    const auto read = (*reader)->read(partition, 0, (*ends)[partition], [&](LogRecord&&) {
      ++count;
      return Result<void>();
    });
    if (!read) give_up(read.error());
  }
  const double wall = std::chrono::duration<double>(SteadyClock::now() - began).count();
  std::printf("read %zu events:                   %6.2f us CPU an event %9.0f events/s\n", count,
              (cpu_seconds() - cpu) / static_cast<double>(count) * 1e6, static_cast<double>(count) / wall);
  shard.stop();
  return 0;
}

}  // namespace
}  // namespace doorbuster::kafka

int main(int argc, char** argv) {
  return doorbuster::kafka::run(argc > 1 ? std::stoul(argv[1]) : 400'000);
}
