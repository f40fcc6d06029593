// What the files cost: the log by batch size, the rebuild at start, the worker.
// CPU is counted over all threads of the process, because the log and the worker have their own.

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <vector>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_log.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "adapters/sqlite/sqlite_repository.hpp"
#include "base/random.hpp"
#include "services/worker/worker.hpp"

namespace doorbuster::sqlite {
namespace {

/// Beside the program, not in /tmp: that is often memory, where an fsync costs nothing.
class Folder {
 public:
  Folder() {
    auto pattern = (std::filesystem::current_path() / "micro-sqlite-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string log() const { return DataDirectory::log_path(path_); }
  std::string repository() const { return DataDirectory::repository_path(path_); }

 private:
  std::string path_;
};

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Runs what is posted at once, on the thread that posts: the benchmark measures the log, not an event loop.
class DirectExecutor final : public Executor {
 public:
  void post(Work work) override { work(); }
  void defer(Work work) override { work(); }
  void after(Duration, Work work) override { work(); }
};

class Events {
 public:
  std::vector<CouponIssued> next(std::size_t count) {
    std::vector<CouponIssued> events(count);
    for (auto& event : events) {
      ++sequence_;
      event.campaign = campaign_;
      event.coupon.sequence = sequence_;
      // Users come in no order.
      event.coupon.user = UserId::from_integer(sequence_ * 0x9e3779b97f4a7c15U >> 24);
      CouponCode::Bytes code;
      random_.fill(code);
      event.coupon.code = CouponCode(code);
      event.coupon.decided_at = Timestamp(std::chrono::seconds(1'795'597'200)) + Duration(sequence_ * 7);
      event.instance = InstanceName("api-8081");
    }
    return events;
  }

 private:
  CampaignId campaign_ = *CampaignId::parse("default");
  SeededRandom random_{1};
  std::uint64_t sequence_ = 0;
};

void fill(const std::string& path, std::size_t rows) {
  auto log = SqliteEventLog::open(path);
  if (!log) std::abort();
  DirectExecutor executor;
  Events events;
  std::mutex mutex;
  std::condition_variable answered;
  std::size_t stored = 0;
  for (std::size_t sent = 0; sent < rows; sent += 10'000) {
    (*log)->append(events.next(10'000), executor, [&](Result<void> result) {
      if (!result) std::abort();
      std::lock_guard lock(mutex);
      stored += 10'000;
      answered.notify_one();
    });
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return stored >= sent; });
  }
  (*log)->stop();
}

/// One batch in the air at a time: rows/s is what the fsync leaves.
void append(benchmark::State& state) {
  Folder folder;
  EventLogOptions options;
  options.gather = Duration::zero();  // there is nobody to wait for
  auto log = SqliteEventLog::open(folder.log(), std::move(options));
  if (!log) return state.SkipWithError(log.error().detail.c_str());
  DirectExecutor executor;
  Events events;
  std::mutex mutex;
  std::condition_variable answered;
  const auto batch = static_cast<std::size_t>(state.range(0));
  double cpu = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto next = events.next(batch);
    state.ResumeTiming();
    const auto before = cpu_seconds();
    bool done = false;
    (*log)->append(std::move(next), executor, [&](Result<void> result) {
      if (!result) std::abort();
      std::lock_guard lock(mutex);
      done = true;
      answered.notify_one();
    });
    {
      std::unique_lock lock(mutex);
      answered.wait(lock, [&] { return done; });
    }
    cpu += cpu_seconds() - before;
  }
  const auto rows = static_cast<double>(state.iterations()) * static_cast<double>(batch);
  state.counters["rows/s"] = benchmark::Counter(rows, benchmark::Counter::kIsRate);
  state.counters["cpu_us/row"] = cpu * 1e6 / rows;
}
BENCHMARK(append)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime()->Unit(benchmark::kMicrosecond);

constexpr std::size_t kRows = 1'000'000;

void rebuild_ledger(benchmark::State& state) {
  Folder folder;
  fill(folder.log(), kRows);
  for (auto _ : state) {
    std::uint64_t sum = 0;
    auto end = rebuild(folder.log(), [&](LogRecord&& record) -> Result<void> {
      sum += std::get<CouponIssued>(record.event).coupon.sequence;
      return {};
    });
    if (!end || *end != kRows) std::abort();
    benchmark::DoNotOptimize(sum);
  }
  state.counters["us/row"] =
      benchmark::Counter(static_cast<double>(kRows) * 1e-6,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(rebuild_ledger)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);

void worker_fills_repository(benchmark::State& state) {
  Folder folder;
  const auto rows = static_cast<std::size_t>(state.range(0));
  fill(folder.log(), rows);
  double cpu = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(folder.repository() + end);
    state.ResumeTiming();
    const auto before = cpu_seconds();
    {
      auto repository = SqliteRepository::open(folder.repository());
      auto source = SqliteEventSource::open(folder.log());
      if (!repository || !source) std::abort();
      worker::Worker worker(**source, **repository);
      while (*worker.step() > 0) {
      }
    }
    cpu += cpu_seconds() - before;
  }
  const auto total = static_cast<double>(state.iterations()) * static_cast<double>(rows);
  state.counters["rows/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["cpu_us/row"] = cpu * 1e6 / total;
}
BENCHMARK(worker_fills_repository)
    ->Arg(100'000)
    ->Arg(kRows)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace doorbuster::sqlite
