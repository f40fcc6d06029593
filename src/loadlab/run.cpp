#include "loadlab/run.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <barrier>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "loadlab/generator.hpp"

namespace doorbuster::loadlab {
namespace {

using boost::asio::ip::tcp;

/// Files that are open beside the connections, with room to spare.
constexpr rlim_t kOtherFiles = 64;

Result<void> raise_file_limit(std::uint32_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = connections + kOtherFiles;
  if (limit.rlim_cur >= wanted) return {};
  if (limit.rlim_max < wanted) {
    return make_error(
        ErrorCode::invalid,
        fmt::format("--vusers {} needs {} open files, but only {} are allowed: raise `ulimit -n`",
                    connections, wanted, limit.rlim_max),
        "--vusers");
  }
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
  return {};
}

Result<std::vector<tcp::endpoint>> resolve(const std::vector<Target>& targets) {
  boost::asio::io_context context;
  tcp::resolver resolver(context);
  std::vector<tcp::endpoint> endpoints;
  for (const auto& target : targets) {
    boost::system::error_code error;
    const auto found = resolver.resolve(target.host, std::to_string(target.port), error);
    if (error || found.empty()) {
      return make_error(ErrorCode::invalid,
                        fmt::format("the host '{}' was not found: {}", target.host, error.message()), "URL");
    }
    // A name such as localhost often has an address of IPv6 first where nobody listens.
    auto chosen = found.begin()->endpoint();
    for (const auto& entry : found) {
      if (entry.endpoint().address().is_v4()) {
        chosen = entry.endpoint();
        break;
      }
    }
    endpoints.push_back(chosen);
  }
  return endpoints;
}

double process_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

LiveCounts live_counts(const std::vector<std::unique_ptr<Generator>>& generators, Duration elapsed) {
  LiveCounts counts;
  counts.elapsed = elapsed;
  for (const auto& generator : generators) {
    counts.successes += generator->live.successes.load(std::memory_order_relaxed);
    counts.issued += generator->live.issued.load(std::memory_order_relaxed);
    counts.errors += generator->live.errors.load(std::memory_order_relaxed);
    counts.success_time += Duration(generator->live.success_us.load(std::memory_order_relaxed));
  }
  return counts;
}

/// The threads of a run and the barrier between connecting and sending.
class Crew {
 public:
  Crew(Shared& shared, const RunHooks& hooks) : shared_(shared), hooks_(hooks) {
    for (std::uint32_t i = 0; i < shared.options.threads; ++i) {
      generators_.push_back(std::make_unique<Generator>(shared, i));
    }
  }

  RunResult work() {
    std::barrier start_barrier(static_cast<std::ptrdiff_t>(generators_.size()),
                               [this]() noexcept { all_connected(); });
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < generators_.size(); ++i) {
      threads.emplace_back([this, i, &start_barrier] {
        pthread_setname_np(pthread_self(), fmt::format("load-{}", i).c_str());
        generators_[i]->connect();
        start_barrier.arrive_and_wait();
        if (go_) generators_[i]->run();
        const std::lock_guard lock(mutex_);
        ++ended_;
        changed_.notify_all();
      });
    }
    wait_for_all();
    for (auto& thread : threads) thread.join();
    return result();
  }

 private:
  void all_connected() noexcept {
    const auto connected = std::any_of(generators_.begin(), generators_.end(), [](const auto& generator) {
      return generator->connected_count() > 0;
    });
    const std::lock_guard lock(mutex_);
    go_ = connected && (shared_.interrupts == nullptr || shared_.interrupts->load() == 0);
    cpu_before_ = process_cpu_us();
    shared_.start = now();
    shared_.window.from = shared_.start + shared_.options.warm_up;
    if (shared_.options.duration) shared_.window.until = shared_.window.from + *shared_.options.duration;
    if (shared_.options.requests) shared_.requests_left = *shared_.options.requests;
    started_ = true;
  }

  void wait_for_all() {
    std::unique_lock lock(mutex_);
    const auto all_ended = [this] { return ended_ == generators_.size(); };
    while (!changed_.wait_for(lock, std::chrono::seconds(1), all_ended)) {
      if (!started_ || !hooks_.progress) continue;
      const auto elapsed = now() - shared_.start;
      lock.unlock();
      hooks_.progress(live_counts(generators_, elapsed));
      lock.lock();
    }
  }

  RunResult result() {
    RunResult result;
    const auto end = now();
    result.cpu_us = process_cpu_us() - cpu_before_;
    result.window = shared_.window;
    const auto from = shared_.window.from.time_since_epoch() + shared_.epoch_offset;
    result.started_at = Timestamp(from);
    result.interrupted = shared_.interrupts != nullptr && shared_.interrupts->load() != 0;
    const auto wall = static_cast<double>(std::max((end - shared_.start).count(), std::int64_t{1}));
    bool connected = false;
    for (auto& generator : generators_) {
      connected = connected || generator->connected_count() > 0;
      result.busiest_thread =
          std::max(result.busiest_thread, static_cast<double>(generator->cpu_time().count()) / wall);
      result.tally.merge(std::move(generator->tally()));
    }
    if (!connected && !result.interrupted) result.never_connected = generators_.front()->connect_error();
    if (shared_.options.requests || result.interrupted) {
      const auto last = std::max(result.tally.last_reply, result.window.from);
      result.window.until = std::min(result.window.until, last);
    }
    return result;
  }

  Shared& shared_;
  const RunHooks& hooks_;
  std::vector<std::unique_ptr<Generator>> generators_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t ended_ = 0;
  bool started_ = false;
  bool go_ = false;  ///< written before the barrier opens, then only read
  double cpu_before_ = 0;
};

}  // namespace

Result<RunResult> run_load(const Options& options, const RunHooks& hooks) {
  if (auto raised = raise_file_limit(options.vusers); !raised) return raised.error();
  auto endpoints = resolve(options.targets);
  if (!endpoints) return endpoints.error();
  Shared shared(options);
  shared.endpoints = std::move(*endpoints);
  shared.interrupts = hooks.interrupts;
  shared.acks = hooks.acks;
  SystemClock clock;
  shared.epoch_offset = clock.now().time_since_epoch() - now().time_since_epoch();
  return Crew(shared, hooks).work();
}

}  // namespace doorbuster::loadlab
