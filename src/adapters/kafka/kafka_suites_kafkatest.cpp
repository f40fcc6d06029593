// Kafka passes what every event log passes, on a topic of one partition. Definitions are in the database
// there, so the suite of catalogs is not this one's.

#include "adapters/kafka/test_parts.hpp"
#include "tests/support/event_log_suite.hpp"

namespace doorbuster::kafka {
namespace {

class LogBed {
 public:
  LogBed() : options_(fresh_options()) { open(); }
  EventLog& log() { return *log_; }
  EventSource& source() { return *source_; }
  test::ManualExecutor& executor() { return executor_; }
  void reopen() {
    source_.reset();
    reader_.reset();
    log_.reset();
    open();
  }

 private:
  void open() {
    log_ = open_log(options_);
    reader_ = open_reader(options_);
    source_ = reader_->source(0);
  }

  KafkaOptions options_;
  test::ManualExecutor executor_;
  std::unique_ptr<KafkaEventLog> log_;
  std::unique_ptr<KafkaLogReader> reader_;
  std::unique_ptr<EventSource> source_;
};

}  // namespace
}  // namespace doorbuster::kafka

namespace doorbuster::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Kafka, EventLogSuite, kafka::LogBed);

}  // namespace doorbuster::test
