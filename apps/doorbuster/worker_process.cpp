#include "apps/doorbuster/worker_process.hpp"

#include <fmt/format.h>

#include "adapters/kafka/topics.hpp"
#include "adapters/mariadb/schema.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "base/log.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

// A worker that is told to stop ends after the step under way; with these, within the contract's ten seconds.
constexpr Duration kReadPatience = 2s;
constexpr Duration kMonitorPatience = 1s;

/// Adds what a store does to the numbers of the process, which outlive it.
class CountedStore final : public CouponStore {
 public:
  CountedStore(mariadb::ServerOptions server, mariadb::StoreOptions options, WorkerProcess::Stored& sum)
      : store_(std::move(server), std::move(options)), sum_(sum) {}

  Result<void> store(const std::vector<LogRecord>& records) override {
    const auto before = store_.stats();
    auto stored = store_.store(records);
    const auto after = store_.stats();
    sum_.rows += after.rows - before.rows;
    sum_.repeated += after.repeated - before.repeated;
    sum_.voided += after.voided - before.voided;
    sum_.dead_letters += after.dead_letters - before.dead_letters;
    return stored;
  }
  Result<LogPosition> stored_through() override { return store_.stored_through(); }

 private:
  mariadb::MariaDbCouponStore store_;
  WorkerProcess::Stored& sum_;
};

}  // namespace

WorkerProcess::WorkerProcess(kafka::KafkaOptions log, mariadb::ServerOptions database)
    : log_(std::move(log)), database_(std::move(database)), recovery_(database_, log_.topic) {}

WorkerProcess::~WorkerProcess() {
  stop();
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::open(const config::Settings& settings) {
  auto database = database_options(settings);
  if (!database) return database.error();
  std::unique_ptr<WorkerProcess> process(
      new WorkerProcess(kafka::kafka_options(settings), std::move(*database)));
  const auto opened = process->open_parts(static_cast<std::size_t>(settings.integer("worker.batch")));
  if (!opened) return opened.error();
  return process;
}

/// Makes the topics on the first start of all. A log that the database knows and that is gone is not made up
/// anew: that is for `doorbuster recover` to do, which fills it again.
Result<void> WorkerProcess::open_topics() {
  const auto checked = kafka::check_topics(log_);
  if (checked || checked.error().code != ErrorCode::not_found) return checked;
  const auto known = recovery_.log_identity();
  if (!known) return known.error();
  if (known->empty()) return kafka::ensure_topics(log_);
  return make_error(ErrorCode::corrupt,
                    fmt::format("{}, but the database has positions of it: Kafka has lost its data. "
                                "'doorbuster recover' fills it again",
                                checked.error().detail),
                    "kafka.topic");
}

Result<void> WorkerProcess::open_parts(std::size_t batch) {
  if (const auto prepared = mariadb::prepare_database(database_); !prepared) return prepared;
  if (const auto topics = open_topics(); !topics) return topics;
  auto dead_letters = kafka::DeadLetterTopic::open(log_);
  if (!dead_letters) return dead_letters.error();
  dead_letters_ = std::move(*dead_letters);
  auto patient = log_;
  patient.timeout = kReadPatience;
  auto reader = kafka::KafkaLogReader::open(patient);
  if (!reader) return reader.error();
  reader_ = std::move(*reader);
  patient.timeout = kMonitorPatience;
  auto monitor = kafka::KafkaLogReader::open(patient);
  if (!monitor) return monitor.error();
  monitor_ = std::move(*monitor);

  worker::WorkerThreadOptions options;
  options.worker.batch = batch;
  options.end_when_corrupt = false;  // `doorbuster recover` mends it
  workers_ = std::make_unique<worker::PartitionWorkers>(
      [this](std::size_t partition) { return make_parts(partition); }, options);
  watch();
  auto group = kafka::KafkaConsumerGroup::join(
      log_, {[this](const std::vector<std::size_t>& partitions) { workers_->take(partitions); },
             [this](const std::vector<std::size_t>& partitions) { workers_->release(partitions); }});
  if (!group) return group.error();
  group_ = std::move(*group);
  return {};
}

worker::PartitionWorkers::Parts WorkerProcess::make_parts(std::size_t partition) {
  mariadb::StoreOptions options;
  options.topic = log_.topic;
  options.partition = static_cast<std::uint32_t>(partition);
  options.on_dead_letters = [this, partition](const std::vector<DeadLetter>& letters) {
    for (const auto& letter : letters) {
      log().warn("worker: dead letter at position {} of partition {}: {}", letter.position, partition,
                 letter.reason);
    }
    return dead_letters_->put(partition, letters);
  };
  return {reader_->source(partition), std::make_unique<CountedStore>(database_, std::move(options), stored_)};
}

Result<std::string> WorkerProcess::strange_log() {
  const auto here = monitor_->identity();
  if (!here) {
    if (here.error().code == ErrorCode::not_found) return here.error().detail;
    return here.error();
  }
  const auto known = recovery_.log_identity();
  if (!known) return known.error();
  if (*known == *here || here->empty()) return std::string();
  if (!known->empty()) {
    return fmt::format(
        "the topic '{}' has been made anew: 'doorbuster recover' fills it and sends the workers "
        "to its start",
        log_.topic);
  }
  // Nobody has noted one: the first worker does, unless the log is shorter than what is stored of it, which
  // each partition's worker says.
  const auto stored = recovery_.stored_through(monitor_->partitions());
  const auto ends = monitor_->ends();
  if (!stored || !ends) return std::string();
  for (std::size_t partition = 0; partition < ends->size(); ++partition) {
    if ((*stored)[partition] > (*ends)[partition]) return std::string();
  }
  const auto noted = recovery_.note_log_identity(*here);
  if (!noted) return noted.error();
  return std::string();
}

void WorkerProcess::watch() {
  std::string complaint;
  const auto strange = strange_log();
  if (!strange) {
    complaint = strange.error().detail;  // cannot tell: what works goes on
  } else if (!strange->empty()) {
    complaint = *strange;
    if (!workers_->suspended()) {
      log().error("worker: rests: {}", complaint);
      workers_->suspend();
    }
  } else if (workers_->suspended()) {
    log().info("worker: goes on");
    workers_->resume();
  }
  auto ends = monitor_->ends();
  if (!ends && complaint.empty()) complaint = ends.error().detail;
  if (group_) {
    for (const auto& state : workers_->states()) {
      if (state.stats.position > 0) group_->note_position(state.partition, state.stats.position);
    }
  }
  note_rate();
  const std::lock_guard lock(mutex_);
  if (ends) ends_ = std::move(*ends);
  complaint_ = std::move(complaint);
}

void WorkerProcess::note_rate() {
  const auto rows = stored_.rows.load();
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  const std::chrono::duration<double> passed = now - seen_at_;
  if (passed < 500ms) return;
  rows_per_second_ = static_cast<double>(rows - rows_seen_) / passed.count();
  rows_seen_ = rows;
  seen_at_ = now;
}

void WorkerProcess::stop() {
  if (group_) group_->leave();
}

Result<void> WorkerProcess::ready() const {
  {
    const std::lock_guard lock(mutex_);
    if (!complaint_.empty()) return make_error(ErrorCode::unavailable, complaint_);
  }
  for (const auto& state : workers_->states()) {
    if (!state.stats.last_error.empty())
      return make_error(ErrorCode::unavailable,
                        fmt::format("partition {}: {}", state.partition, state.stats.last_error));
  }
  return {};
}

void WorkerProcess::write_metrics(obs::MetricsWriter& out) const {
  std::vector<LogPosition> ends;
  double rows_per_second = 0;
  {
    const std::lock_guard lock(mutex_);
    ends = ends_;
    rows_per_second = rows_per_second_;
  }
  const auto states = workers_->states();
  for (const auto& state : states) {
    const auto partition = std::to_string(state.partition);
    const auto end = state.partition < ends.size() ? ends[state.partition] : 0;
    const auto position = state.stats.position;
    out.gauge("doorbuster_worker_lag_events",
              "Events in the log that the worker has not stored, by partition",
              static_cast<double>(end > position ? end - position : 0), {{"partition", partition}});
    out.gauge("doorbuster_worker_position", "Everything up to here is stored", static_cast<double>(position),
              {{"partition", partition}});
  }
  const auto totals = workers_->totals();
  out.gauge("doorbuster_worker_partitions", "Partitions that are this worker's at the moment",
            static_cast<double>(states.size()));
  out.gauge("doorbuster_worker_rows_per_second", "Coupons stored, over the last second", rows_per_second);
  out.counter("doorbuster_worker_records_total", "Records read from the log and stored", totals.records);
  out.counter("doorbuster_worker_batches_total", "Transactions", totals.batches);
  out.counter("doorbuster_worker_failures_total", "Steps of the worker that failed and were tried again",
              totals.failures);
  out.counter("doorbuster_worker_rows_total", "Coupons stored", stored_.rows);
  out.counter("doorbuster_worker_repeated_total", "Events that were stored already", stored_.repeated);
  out.counter("doorbuster_worker_void_total",
              "Events of an older epoch, behind the end that a recovery noted", stored_.voided);
  out.counter("doorbuster_worker_dead_letters_total", "Records that could not be stored",
              stored_.dead_letters);
  out.gauge("doorbuster_worker_suspended", "1: the log is not the one that the database has positions of",
            workers_->suspended() ? 1 : 0);
}

}  // namespace doorbuster
