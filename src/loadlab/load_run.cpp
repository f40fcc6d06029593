#include "loadlab/load_run.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "loadlab/load_thread.hpp"

namespace doorbuster::loadlab {
namespace {

/// Beside the connections: standard streams, event loops, report and acks.
constexpr rlim_t kOtherFiles = 128;

Result<void> allow_files(const Options& options) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = options.vusers + kOtherFiles;
  if (limit.rlim_cur >= wanted) return {};
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
    return make_error(
        ErrorCode::invalid,
        fmt::format("{} virtual users need {} open files, and {} are allowed here: raise `ulimit -n`",
                    options.vusers, wanted, limit.rlim_max),
        "--vusers");
  }
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
  return {};
}

Result<std::vector<boost::asio::ip::tcp::endpoint>> resolve(const Options& options) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;
  for (const auto& target : options.targets) {
    boost::system::error_code error;
    const auto found = resolver.resolve(target.host, std::to_string(target.port), error);
    if (error || found.empty()) {
      return make_error(ErrorCode::invalid,
                        fmt::format("'{}' cannot be found: {}", target.host, error.message()), "URL");
    }
    endpoints.push_back(found.begin()->endpoint());
  }
  return endpoints;
}

Duration process_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) { return Duration(time.tv_sec * 1'000'000 + time.tv_usec); };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

/// Runs `each` for every generator on a thread of its own ("bench-0"), and `meanwhile` here once a second.
template <class Each, class Meanwhile>
void on_threads(std::vector<std::unique_ptr<LoadThread>>& generators, Each each, Meanwhile meanwhile) {
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = generators.size();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < generators.size(); ++i) {
    threads.emplace_back([&, i] {
      each(*generators[i]);
      const std::lock_guard lock(mutex);
      --running;
      ended.notify_all();
    });
    pthread_setname_np(threads.back().native_handle(), fmt::format("bench-{}", i).c_str());
  }
  {
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, std::chrono::seconds(1), [&] { return running == 0; })) {
      lock.unlock();
      meanwhile();
      lock.lock();
    }
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace

Result<RunResult> run_load(const Options& options, const RunHooks& hooks) {
  if (auto allowed = allow_files(options); !allowed) return allowed.error();
  auto endpoints = resolve(options);
  if (!endpoints) return endpoints.error();

  Shared shared{.options = options, .endpoints = std::move(*endpoints), .start = {}, .window = {}};
  shared.interrupts = hooks.interrupts;
  shared.acks = hooks.acks;
  shared.requests_left = options.requests.value_or(0);
  std::vector<std::unique_ptr<LoadThread>> generators;
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    generators.push_back(std::make_unique<LoadThread>(shared, i));
  }

  RunResult result;
  on_threads(
      generators, [](LoadThread& generator) { generator.connect(); }, [] {});
  std::size_t connected = 0;
  for (const auto& generator : generators) {
    connected += generator->connected();
    if (!generator->connect_error().empty()) result.never_connected = generator->connect_error();
  }
  result.interrupted = hooks.interrupts != nullptr && hooks.interrupts->load() != 0;
  if (connected != 0) result.never_connected.clear();

  // The barrier: all that can be connected is, and nobody has sent anything.
  shared.start = now();
  shared.window.from = shared.start + options.warm_up;
  if (options.duration) shared.window.until = shared.window.from + *options.duration;
  SystemClock clock;
  const auto epoch_now = clock.now();
  shared.epoch_offset = epoch_now.time_since_epoch() - now().time_since_epoch();
  result.started_at = epoch_now + options.warm_up;
  if (connected != 0 && !result.interrupted) {
    const auto cpu_before = process_cpu();
    on_threads(
        generators, [](LoadThread& generator) { generator.run(); },
        [&] {
          if (!hooks.progress) return;
          LiveCounts counts;
          counts.elapsed = now() - shared.start;
          for (const auto& generator : generators) {
            counts.successes += generator->live.successes.load(std::memory_order_relaxed);
            counts.issued += generator->live.issued.load(std::memory_order_relaxed);
            counts.errors += generator->live.errors.load(std::memory_order_relaxed);
          }
          hooks.progress(counts);
        });
    result.cpu = process_cpu() - cpu_before;
  }
  const auto wall = std::max(now() - shared.start, Duration(1));
  for (auto& generator : generators) {
    const auto share = static_cast<double>(generator->cpu_time().count()) / static_cast<double>(wall.count());
    result.busiest_thread = std::max(result.busiest_thread, share);
    result.interrupted = result.interrupted || generator->interrupted();
    result.tally.merge(std::move(generator->tally()));
  }
  result.window = shared.window;
  if (!options.duration || result.interrupted) {
    result.window.until = std::max(result.tally.last_reply, result.window.from);
  }
  return result;
}

}  // namespace doorbuster::loadlab
