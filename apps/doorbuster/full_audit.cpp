#include "apps/doorbuster/full_audit.hpp"

#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/schema.hpp"
#include "apps/doorbuster/stack_settings.hpp"

namespace doorbuster {

/// The rows of the campaign, page by page.
class FullAudit::Rows final : public audit::RowSource {
 public:
  Rows(mariadb::MariaDbRepository& repository, const audit::MergedLog& log, const CampaignId& campaign)
      : repository_(repository), log_(log), campaign_(campaign) {}

  Result<std::vector<StoredCoupon>> next(std::size_t max) override {
    auto page = repository_.rows(campaign_, after_, max);
    if (page && !page->empty()) after_ = page->back().coupon.sequence;
    return page;
  }
  Result<LogPosition> stored_through() override {
    const auto positions = repository_.stored_through(log_.partitions());
    if (!positions) return positions.error();
    return log_.reached(*positions);
  }
  Result<std::vector<DeadLetter>> dead_letters(std::size_t max) override {
    return repository_.dead_letters(max);
  }

 private:
  mariadb::MariaDbRepository& repository_;
  const audit::MergedLog& log_;
  const CampaignId campaign_;
  std::uint64_t after_ = 0;
};

FullAudit::FullAudit() = default;
FullAudit::~FullAudit() = default;

Result<std::unique_ptr<FullAudit>> FullAudit::open(const config::Settings& settings,
                                                   const CampaignId& campaign) {
  const auto database = database_options(settings);
  if (!database) return database.error();
  const auto kafka = kafka::kafka_options(settings);
  auto connection = mariadb::Connection::open(*database, mariadb::Access::read_only);
  if (!connection) return connection.error();
  if (const auto known = mariadb::check_schema(**connection, database->name); !known) return known.error();

  std::unique_ptr<FullAudit> audit(new FullAudit);
  auto reader = kafka::KafkaLogReader::open(kafka);
  if (!reader) return reader.error();
  audit->reader_ = std::move(*reader);
  std::vector<EventSource*> partitions;
  for (std::size_t i = 0; i < audit->reader_->partitions(); ++i) {
    audit->sources_.push_back(audit->reader_->source(i));
    partitions.push_back(audit->sources_.back().get());
  }
  mariadb::MariaDbRecoveryStore recovery(*database, kafka.topic);
  auto fences = recovery.fences(campaign);
  if (!fences) return fences.error();
  auto stored_alone = recovery.told_by_rows_alone(campaign);
  if (!stored_alone) return stored_alone.error();
  audit->merged_ = std::make_unique<audit::MergedLog>(std::move(partitions), campaign, std::move(*fences),
                                                      std::move(*stored_alone));
  mariadb::RepositoryOptions options;
  options.server = *database;
  options.topic = kafka.topic;
  options.readers = 1;
  audit->repository_ = std::make_unique<mariadb::MariaDbRepository>(options);
  audit->rows_ = std::make_unique<Rows>(*audit->repository_, *audit->merged_, campaign);
  return audit;
}

}  // namespace doorbuster
