#pragma once
// The parts behind the ports as an api process sees them, whatever they are made of: embedded (memory and
// SQLite) or full (Redis, Kafka, MariaDB).
//
// Order of life: opened → shards attach, start and serve → stop() while the shards still run → what was
// attached is destroyed after its shard has stopped → destroyed.

#include <memory>
#include <string>

#include "config/settings.hpp"
#include "obs/metrics.hpp"
#include "ports/campaign_catalog.hpp"
#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"
#include "ports/ledger.hpp"
#include "ports/request_book.hpp"
#include "rt/offload.hpp"
#include "rt/shard.hpp"
#include "services/api/campaign_service.hpp"
#include "services/api/issue_service.hpp"

namespace doorbuster {

/// What a stack has for one shard. Made and used on the shard's thread, destroyed when that has ended.
class StackShard {
 public:
  virtual ~StackShard() = default;
  virtual Ledger& ledger() = 0;
  /// Whether this shard's relay appends overdue events again.
  virtual bool relays() const = 0;
  /// Called once, when the shard's services are there; `started` when it can decide, or why it cannot.
  virtual void start(api::CampaignService&, Ledger::Done<void> started) { started({}); }
  /// An error says what it waits for.
  virtual Result<void> ready() { return {}; }
  virtual Strategy strategy_of(const CampaignId&) const { return Strategy::atomic; }
  /// Where queued requests are noted; null: the strategy `async-queue` is not offered here.
  virtual RequestBook* request_book() { return nullptr; }
  virtual void write_metrics(obs::MetricsWriter&) {}
};

class ApiStack {
 public:
  virtual ~ApiStack() = default;
  /// On the shard. The first one to attach is the first to be asked for anything.
  virtual std::unique_ptr<StackShard> attach(rt::Shard& shard) = 0;
  virtual EventLog& log() = 0;
  virtual CampaignCatalog& catalog() = 0;
  virtual CouponRepository& repository() = 0;
  virtual rt::Offload& lookups() = 0;
  virtual api::CampaignOptions campaign_options() const = 0;
  /// Fills in what depends on the parts.
  virtual void adjust(api::IssueOptions&) const {}
  /// What a reply says of how safe a coupon is.
  virtual std::string durability_text(Durability durability) const {
    return std::string(to_text(durability));
  }
  /// Has the worker stored all that is safe in the log now? Any thread.
  virtual Result<bool> worker_caught_up() = 0;
  /// Whether a stop waits for pending coupons: nobody else can make them safe.
  virtual bool settles() const = 0;
  /// Numbers of the parts that the shards share. Any thread.
  virtual void write_metrics(obs::MetricsWriter& out) = 0;
  /// Called every second by the main thread.
  virtual void watch() = 0;
  /// For the line that tells of the start.
  virtual std::string summary() const = 0;
  /// Told again: no effect.
  virtual void stop() = 0;
};

}  // namespace doorbuster
