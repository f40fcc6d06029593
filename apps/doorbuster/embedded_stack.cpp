#include "apps/doorbuster/embedded_stack.hpp"

#include <future>
#include <latch>
#include <thread>

#include "base/log.hpp"

namespace doorbuster {
namespace {

constexpr Duration kSettleMargin = std::chrono::milliseconds(200);
constexpr Duration kSettlePoll = std::chrono::milliseconds(10);

}  // namespace

EmbeddedStack::EmbeddedStack(EmbeddedOptions options) : options_(std::move(options)) {}

EmbeddedStack::~EmbeddedStack() {
  stop();
}

Result<std::unique_ptr<EmbeddedStack>> EmbeddedStack::start(EmbeddedOptions options) {
  // On a failure the destructor ends what has been started.
  std::unique_ptr<EmbeddedStack> stack(new EmbeddedStack(std::move(options)));
  if (auto opened = stack->open_files(); !opened) return opened.error();
  if (auto restored = stack->restore_ledger(); !restored) return restored.error();
  if (auto started = stack->start_worker(); !started) return started.error();
  stack->make_shards();
  for (auto& shard : stack->shards_) shard->start();
  stack->running_ = true;
  if (auto created = stack->create_default_campaign(); !created) return created.error();
  if (auto listening = stack->listen(); !listening) return listening.error();
  return stack;
}

Result<void> EmbeddedStack::open_files() {
  auto directory = sqlite::DataDirectory::acquire(options_.data, "api");
  if (!directory) return directory.error();
  directory_ = std::move(*directory);

  sqlite::EventLogOptions log_options;
  log_options.gather = options_.gather;
  log_options.checkpoint_bytes = options_.checkpoint_bytes;
  log_options.most_queued_events = options_.most_queued_events;
  log_options.on_commit = [this](Duration time, std::size_t) { commit_times_.record(time); };
  auto log = sqlite::SqliteEventLog::open(directory_.log_path(), std::move(log_options));
  if (!log) return log.error();
  log_ = std::move(*log);

  auto repository = sqlite::SqliteRepository::open(directory_.repository_path());
  if (!repository) return repository.error();
  repository_ = std::move(*repository);
  return {};
}

Result<void> EmbeddedStack::restore_ledger() {
  auto end = sqlite::rebuild(directory_.log_path(),
                             [this](LogRecord&& record) -> Result<void> { return ledger_.restore(record); });
  if (!end) return end.error();
  restored_ = *end;
  ledger_.finish_restore();

  const auto stored = repository_->stored_through();
  if (!stored) return stored.error();
  return sqlite::check_not_ahead(*stored, restored_, directory_.path());
}

Result<void> EmbeddedStack::start_worker() {
  auto source = sqlite::SqliteEventSource::open(directory_.log_path(), log_->signal());
  if (!source) return source.error();
  source_ = std::move(*source);
  worker_ = std::make_unique<worker::WorkerThread>(*source_, *repository_);
  worker_->start();
  return {};
}

void EmbeddedStack::make_shards() {
  offload_ = std::make_unique<rt::Offload>("db", options_.lookup_threads, options_.most_lookups_waiting);
  for (std::size_t i = 0; i < options_.io_threads; ++i) {
    shards_.push_back(std::make_unique<rt::Shard>("io-" + std::to_string(i)));
  }
  metrics_.add([this](obs::MetricsWriter& out) {
    const auto log = log_->stats();
    write_log_metrics(log, out);
    commit_times_.write(out);
    write_worker_metrics(worker_->stats(), log.position, out);
    write_repository_metrics(repository_->stats(), out);
  });
  const SharedParts shared{clock_, ledger_,      *shards_.front(), *log_,
                           *log_,  *repository_, *offload_,        metrics_};
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    io_.push_back(std::make_unique<IoShard>(*shards_[i], shared, options_.issue,
                                            api_options("io-" + std::to_string(i))));
  }
}

api::ApiOptions EmbeddedStack::api_options(const std::string& shard) {
  api::ApiOptions api;
  api.shard = shard;
  api.authorizer = options_.authorizer;
  api.worker_caught_up = [this]() -> Result<bool> {
    const LogPosition safe = log_->stats().position;
    const auto stored = repository_->stored_through();
    if (!stored) return stored.error();
    return *stored >= safe;
  };
  api.ready = [this]() -> Result<void> {
    if (stopping_.load(std::memory_order_relaxed)) {
      return make_error(ErrorCode::unavailable, "the process is stopping");
    }
    const auto worker = worker_->end();
    if (worker.ended) return make_error(worker.error.code, "the worker has ended: " + worker.error.detail);
    return {};
  };
  return api;
}

bool EmbeddedStack::has_campaigns() {
  bool any = false;
  shards_.front()->run([&] {
    ledger_.list([&](Result<std::vector<CampaignView>> views) { any = views && !views->empty(); });
  });
  return any;
}

Result<void> EmbeddedStack::create_default_campaign() {
  if (options_.default_campaign == 0 || has_campaigns()) return {};
  CampaignDefinition definition;
  definition.id = *CampaignId::parse("default");
  definition.name = "Default campaign";
  definition.limit = options_.default_campaign;

  std::promise<Result<void>> created;
  shards_.front()->post([&] {
    io_.front()->campaigns().create(definition, [&](Result<api::CampaignService::Created> result) {
      created.set_value(result ? Result<void>() : Result<void>(result.error()));
    });
  });
  return created.get_future().get();
}

Result<void> EmbeddedStack::listen() {
  net::HttpServerOptions http = options_.http;
  http.share_port = io_.size() > 1;
  if (http.share_port) {
    if (auto free = net::probe_port(http.bind, http.port); !free) return free.error();
  }
  for (auto& io : io_) {
    Result<void> listening;
    io->shard().run([&] {
      listening = io->listen(http);
      if (listening) http.port = io->port();
    });
    if (!listening) return listening.error();
  }
  port_ = http.port;
  io_.front()->shard().run([this] { io_.front()->keep_relaying(options_.issue.relay_after); });
  return {};
}

void EmbeddedStack::drain() {
  std::latch drained(static_cast<std::ptrdiff_t>(io_.size()));
  for (auto& io : io_) {
    io->shard().post([&] { io->drain(options_.drain_timeout, [&] { drained.count_down(); }); });
  }
  drained.wait();
  for (auto& io : io_) io->shard().run([&] { io->stop(); });
}

bool EmbeddedStack::has_pending() {
  bool any = false;
  shards_.front()->run([&] {
    ledger_.list([&](Result<std::vector<CampaignView>> views) {
      if (!views) return;
      for (const auto& view : *views) any = any || view.issued > view.durable;
    });
  });
  return any;
}

void EmbeddedStack::settle() {
  // The relay takes an event once it is overdue: two intervals are enough for a log that takes events.
  const auto until = std::chrono::steady_clock::now() + 2 * options_.issue.relay_after + kSettleMargin;
  while (log_->accepting() && has_pending() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kSettlePoll);
  }
  if (has_pending()) log().warn("api: some coupons could not be made safe; nobody was told of them");
}

void EmbeddedStack::stop() {
  if (stopping_.exchange(true)) return;
  if (running_) {
    drain();
    settle();
  }
  if (log_) log_->stop();
  offload_.reset();  // after the servers: nobody asks any more
  if (worker_) worker_->stop();
  for (auto& shard : shards_) shard->stop();
}

}  // namespace doorbuster
