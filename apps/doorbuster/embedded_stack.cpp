#include "apps/doorbuster/embedded_stack.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <array>
#include <cstring>

#include "adapters/memory/owner_ledger.hpp"
#include "base/log.hpp"
#include "services/api/repository_archive.hpp"
#include "services/issuing/ended_campaigns.hpp"

namespace doorbuster {
namespace {

constexpr std::size_t kMostLookupsWaiting = 4096;
constexpr std::size_t kMostHolderLookups = kMostLookupsWaiting / 4;

class OwnerShard final : public StackShard {
 public:
  OwnerShard(MemoryLedger& ledger, rt::Shard& shard, CouponRepository& repository, rt::Offload& lookups,
             issuing::UnloadOptions unload)
      : ledger_(ledger),
        archive_(shard, repository, lookups, kMostHolderLookups),
        unloads_(unload.after > Duration::zero()),
        ended_(shard, boot_clock_, ledger, archive_, std::move(unload)) {}
  Ledger& ledger() override { return ledger_; }
  /// One relay is enough: the ledger knows the overdue events of all shards.
  bool relays() const override { return true; }
  void start(api::CampaignService&, Ledger::Done<void> started) override {
    if (unloads_) ended_.start();
    started({});
  }
  void write_metrics(obs::MetricsWriter& out) override {
    out.gauge("doorbuster_ledger_bytes", "Memory of the ledger", static_cast<double>(ledger_.memory_bytes()));
    out.gauge("doorbuster_ledger_unloaded_campaigns",
              "Ended campaigns whose holders are not in memory any more",
              static_cast<double>(ledger_.unloaded()));
    out.counter("doorbuster_ledger_unloads_put_off_total",
                "Ended campaigns that stayed in memory, as the repository did not have them whole",
                ended_.stats().put_off);
  }

 private:
  MemoryLedger& ledger_;
  BootClock boot_clock_;
  api::RepositoryArchive archive_;
  bool unloads_;
  issuing::EndedCampaigns ended_;
};

class ForwardingShard final : public StackShard {
 public:
  ForwardingShard(MemoryLedger& ledger, rt::Shard& owner, rt::Shard& own) : ledger_(ledger, owner, own) {}
  Ledger& ledger() override { return ledger_; }
  bool relays() const override { return false; }

 private:
  OwnerLedger ledger_;
};

}  // namespace

Result<std::unique_ptr<EmbeddedStack>> EmbeddedStack::open(const config::Settings& settings, Clock& clock) {
  std::unique_ptr<EmbeddedStack> stack(new EmbeddedStack(clock));
  const auto began = std::chrono::steady_clock::now();
  stack->path_ = settings.text("api.data");
  if (const auto opened = stack->open_parts(settings); !opened) return opened.error();
  stack->read_back_took_ = std::chrono::steady_clock::now() - began;
  return stack;
}

std::unique_ptr<StackShard> EmbeddedStack::attach(rt::Shard& shard) {
  if (owner_ == nullptr) {
    owner_ = &shard;
    issuing::UnloadOptions unload;
    unload.after = unload_ended_after_;
    std::array<std::uint8_t, sizeof unload.filter_key> key{};
    random_.fill(key);
    std::memcpy(&unload.filter_key, key.data(), sizeof unload.filter_key);
    // Elsewhere, as it takes milliseconds. The pages would be used again by the next campaigns; until then
    // they are the system's.
    unload.unloaded = [this] { (void)lookups_->try_run([] { (void)::malloc_trim(0); }); };
    return std::make_unique<OwnerShard>(ledger_, shard, *repository_, *lookups_, std::move(unload));
  }
  return std::make_unique<ForwardingShard>(ledger_, *owner_, shard);
}

std::string EmbeddedStack::summary() const {
  return fmt::format("data in {}, {} records read back in {:.2f} s", path_, read_back_,
                     read_back_took_.count());
}

EmbeddedStack::~EmbeddedStack() {
  stop();
}

Result<void> EmbeddedStack::open_parts(const config::Settings& settings) {
  auto folder = sqlite::DataDirectory::acquire(settings.text("api.data"), "api");
  if (!folder) return folder.error();
  folder_ = std::move(*folder);
  unload_ended_after_ = settings.duration("api.unload_ended_after");

  sqlite::EventLogOptions log_options;
  log_options.most_queued_events = static_cast<std::size_t>(settings.integer("api.log_queue"));
  log_options.reserved_bytes = sqlite::kMostWalBytes;
  log_options.gather = settings.duration("api.log_gather");
  log_options.on_commit = [this](Duration took, std::size_t events) {
    const std::lock_guard lock(commit_mutex_);
    commit_time_.record(took);
    commit_events_.record(events);
  };
  auto log = sqlite::SqliteEventLog::open(folder_.log_path(), std::move(log_options));
  if (!log) return log.error();
  log_ = std::move(*log);

  const auto end = sqlite::rebuild(
      folder_.log_path(), [this](LogRecord&& record) -> Result<void> { return ledger_.restore(record); });
  if (!end) return end.error();
  read_back_ = *end;
  ledger_.finish_restore();

  auto repository = sqlite::SqliteRepository::open(folder_.repository_path());
  if (!repository) return repository.error();
  repository_ = std::move(*repository);
  const auto stored = static_cast<CouponStore&>(*repository_).stored_through();
  if (!stored) return stored.error();
  if (const auto ahead = sqlite::check_not_ahead(*stored, read_back_, folder_.path()); !ahead)
    return ahead.error();

  auto source = sqlite::SqliteEventSource::open(folder_.log_path(), log_->signal());
  if (!source) return source.error();
  source_ = std::move(*source);
  worker::WorkerThreadOptions options;
  options.steps_back = true;
  worker_ = std::make_unique<worker::WorkerThread>(*source_, *repository_, options);
  worker_->start();
  lookups_ = std::make_unique<rt::Offload>(
      "db", static_cast<std::size_t>(settings.integer("api.lookup_threads")), kMostLookupsWaiting);
  return {};
}

Result<bool> EmbeddedStack::worker_caught_up() {
  const auto end = log_->stats().position;
  const auto stored = static_cast<CouponRepository&>(*repository_).stored_through();
  if (!stored) return stored.error();
  return *stored >= end;
}

void EmbeddedStack::write_metrics(obs::MetricsWriter& out) {
  const auto log = log_->stats();
  out.gauge("doorbuster_log_accepting", "1: the event log takes events", log_->accepting() ? 1 : 0);
  out.gauge("doorbuster_log_position", "Last safe position of the event log",
            static_cast<double>(log.position));
  out.gauge("doorbuster_log_queued_events", "Events waiting for the next commit",
            static_cast<double>(log.queued_events));
  out.gauge("doorbuster_log_wal_bytes", "Write-ahead log in use", static_cast<double>(log.wal_bytes));
  out.counter("doorbuster_log_commits_total", "Commits of the event log", log.commits);
  out.counter("doorbuster_log_events_total", "Events committed", log.events);
  out.counter("doorbuster_log_failures_total", "How often a failed write has closed the event log",
              log.failures);
  {
    const std::lock_guard lock(commit_mutex_);
    out.histogram("doorbuster_log_commit_seconds", "Time of a commit, fsync included", commit_time_);
    out.histogram("doorbuster_log_commit_events", "Events that were committed together", commit_events_);
  }
  const auto worker = worker_->stats();
  out.gauge("doorbuster_worker_lag_events", "Events in the log that the worker has not stored",
            static_cast<double>(log.position > worker.position ? log.position - worker.position : 0));
  out.counter("doorbuster_worker_records_total", "Records stored by the worker", worker.records);
  out.counter("doorbuster_worker_failures_total", "Steps of the worker that failed and were tried again",
              worker.failures);
  out.counter("doorbuster_worker_dead_letters_total", "Records that contradict what is stored",
              repository_->stats().dead_letters);
  out.gauge("doorbuster_lookups_waiting", "Look-ups waiting for a thread",
            static_cast<double>(lookups_->waiting()));
}

void EmbeddedStack::watch() {
  const auto end = worker_->end();
  if (!end.ended || worker_end_told_) return;
  worker_end_told_ = true;
  doorbuster::log().error("the worker has ended, coupons are issued but not copied to the repository: {}",
                          end.error.detail);
}

void EmbeddedStack::stop() {
  if (log_) log_->stop();
  if (worker_) worker_->stop();
  // Not destroyed: requests that are still in the air refer to it.
  if (lookups_) lookups_->stop();
}

}  // namespace doorbuster
