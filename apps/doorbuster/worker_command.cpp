#include "apps/doorbuster/worker_command.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "adapters/kafka/kafka_event_log.hpp"
#include "adapters/mariadb/mariadb_repository.hpp"
#include "adapters/mariadb/schema.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/registry_membership.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/signals.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "apps/doorbuster/worker_process.hpp"
#include "base/log.hpp"
#include "net/http_server.hpp"
#include "proto/http/problem.hpp"

namespace doorbuster {
namespace {

constexpr std::size_t kMostShown = 20;

http::Response problem_of(const Error& error) {
  const auto& row = traits(error.code);
  auto response = http::problem(row.http_status, row.slug, row.title, error.detail);
  if (row.retry == Retry::later) response.headers.emplace_back("Retry-After", "1");
  return response;
}

http::Response answer(const http::Request& request, const WorkerProcess& process) {
  http::Response response;
  if (request.path == "/healthz") {
    response.body = R"({"status":"ok"})";
  } else if (request.path == "/readyz") {
    if (const auto ready = process.ready(); !ready) return problem_of(ready.error());
    response.body = R"({"status":"ready"})";
  } else if (request.path == "/metrics") {
    obs::MetricsWriter out;
    process.write_metrics(out);
    response.content_type = obs::kMetricsContentType;
    response.body = out.text();
  } else {
    return problem_of(make_error(ErrorCode::not_found, "the worker has /healthz, /readyz and /metrics"));
  }
  if (request.method != http::Method::get && request.method != http::Method::head)
    return problem_of(make_error(ErrorCode::method_not_allowed, "only GET"));
  return response;
}

/// The worker's own page of health and numbers, on a thread of its own.
class WorkerPage {
 public:
  WorkerPage() : shard_("http") { shard_.start(); }
  ~WorkerPage() {
    shard_.run([this] {
      if (server_) server_->stop();
      server_.reset();
    });
    shard_.stop();
  }
  Result<std::uint16_t> listen(const config::Settings& settings, const WorkerProcess& process) {
    net::HttpServerOptions options;
    options.bind = settings.text("worker.bind");
    options.port = static_cast<std::uint16_t>(settings.integer("worker.port"));
    Result<std::uint16_t> port = std::uint16_t{0};
    shard_.run([&] {
      server_ = std::make_unique<net::HttpServer>(
          shard_, options, [&process](const http::Request& request, net::Responder responder) {
            responder.send(answer(request, process));
          });
      const auto listening = server_->listen();
      port = listening ? Result<std::uint16_t>(server_->port()) : Result<std::uint16_t>(listening.error());
    });
    return port;
  }

 private:
  rt::Shard shard_;
  std::unique_ptr<net::HttpServer> server_;
};

Result<void> serve(const config::Settings& settings) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  const StopSignals signals;  // before the first thread
  const auto registry = open_registry_client(settings, false);
  if (!registry) return registry.error();
  RegistryMembership membership(settings, registry->get());
  auto process = WorkerProcess::open(settings);
  if (!process) return process.error();
  WorkerPage page;
  const auto port = page.listen(settings, **process);
  if (!port) return port.error();
  log().info("worker: http://{}:{}/metrics, from topic '{}' at {} into database '{}' at {}:{}",
             settings.text("worker.bind"), *port, settings.text("kafka.topic"),
             settings.text("kafka.brokers"), settings.text("database.name"), settings.text("database.host"),
             settings.integer("database.port"));
  membership.announce("coupon-worker", settings.text("worker.bind"), *port);
  membership.up();
  while (signals.wait(std::chrono::seconds(1)) == 0) (*process)->watch();
  membership.leave();
  log().info("worker: stopping after the batches under way");
  (*process)->stop();
  log().info("worker: stopped");
  return {};
}

/// Stores the dead letters of the database again, and shows what stays.
Result<void> replay_table(const config::Settings& settings, const mariadb::ServerOptions& database) {
  const auto log_options = kafka::kafka_options(settings);
  std::size_t stored = 0;
  for (int partition = 0; partition < log_options.partitions; ++partition) {
    mariadb::StoreOptions options;
    options.topic = log_options.topic;
    options.partition = static_cast<std::uint32_t>(partition);
    auto replayed = mariadb::MariaDbCouponStore(database, std::move(options)).replay_dead_letters();
    if (!replayed) return replayed.error();
    stored += *replayed;
  }
  mariadb::RepositoryOptions options;
  options.server = database;
  options.topic = log_options.topic;
  const auto left = mariadb::MariaDbRepository(options).dead_letters(kMostShown + 1);
  if (!left) return left.error();
  fmt::print(
      "{} dead letters stored or found void; {} stay\n", stored,
      left->size() > kMostShown ? fmt::format("more than {}", kMostShown) : std::to_string(left->size()));
  for (const auto& letter : *left) fmt::print("  {}: {}\n", letter.reason, letter.event);
  return {};
}

/// For a database that has lost its dead letters: the topic has them, too.
Result<void> replay_topic(const config::Settings& settings) {
  const auto options = kafka::kafka_options(settings);
  const auto log = kafka::KafkaEventLog::open(options);
  if (!log) return log.error();
  const auto replayed = kafka::replay_dead_letters(options, **log);
  if (!replayed) return replayed.error();
  fmt::print("{} dead letters appended to '{}' again\n", replayed->replayed, options.topic);
  return {};
}

Result<void> replay(const config::Settings& settings, bool from_topic) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  if (from_topic) return replay_topic(settings);
  const auto database = database_options(settings);
  if (!database) return database.error();
  if (const auto prepared = mariadb::prepare_database(*database); !prepared) return prepared;
  return replay_table(settings, *database);
}

}  // namespace

void add_worker_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("worker", "full stack: moves events from Kafka into the database");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "worker");
  auto* again = command->add_subcommand(
      "replay", "tries the dead letters again (the flags of 'worker' stand before 'replay' or after it)");
  again->fallthrough();
  auto from_topic = std::make_shared<bool>(false);
  again->add_flag("--from-topic", *from_topic,
                  "append what the dead-letter topic has to the log, instead of what the database has");
  command->callback([options, again, from_topic, &exit_code] {
    const auto settings = options->load();
    if (!settings) {
      exit_code = exit_with("worker", settings.error());
      return;
    }
    const auto done = again->parsed() ? replay(*settings, *from_topic) : serve(*settings);
    exit_code = done ? 0 : exit_with("worker", done.error());
  });
}

}  // namespace doorbuster
