#pragma once
// A small system of plain vectors, whole at first, for tests that break one part of it.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/audit/audit.hpp"

namespace doorbuster::audit::test {

template <class T, class Base = ForwardSource<T>>
class VectorSource : public Base {
 public:
  explicit VectorSource(const std::vector<T>& values) : values_(values) {}
  Result<std::vector<T>> next(std::size_t max) override {
    const std::size_t count = std::min(max, values_.size() - read_);
    const auto from = values_.begin() + static_cast<std::ptrdiff_t>(read_);
    read_ += count;
    return std::vector<T>(from, from + static_cast<std::ptrdiff_t>(count));
  }

 private:
  const std::vector<T>& values_;
  std::size_t read_ = 0;
};

class FakeLog final : public EventSource {
 public:
  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override {
    std::vector<LogRecord> out;
    for (const auto& record : records) {
      if (record.position > after && out.size() < max) out.push_back(record);
    }
    return out;
  }
  Result<LogPosition> end() override { return records.empty() ? 0 : records.back().position; }
  void wait(LogPosition, Duration) override {}
  void append(Event event) { records.push_back({records.size() + 1, std::move(event)}); }

  std::vector<LogRecord> records;
};

class FakeHolders final : public VectorSource<LedgerHolder, HolderSource> {
 public:
  FakeHolders(const std::vector<LedgerHolder>& holders, const std::vector<NumberRange>& missing)
      : VectorSource(holders), missing_(missing) {}
  Result<std::vector<NumberRange>> missing() override { return missing_; }

 private:
  const std::vector<NumberRange>& missing_;
};

class FakeRows final : public VectorSource<StoredCoupon, RowSource> {
 public:
  FakeRows(const std::vector<StoredCoupon>& rows, std::function<LogPosition()> stored,
           const std::vector<DeadLetter>& letters)
      : VectorSource(rows), stored_(std::move(stored)), letters_(letters) {}
  Result<LogPosition> stored_through() override { return stored_(); }
  Result<std::vector<DeadLetter>> dead_letters(std::size_t) override { return letters_; }

 private:
  std::function<LogPosition()> stored_;
  const std::vector<DeadLetter>& letters_;
};

inline Timestamp at(std::uint64_t microseconds) {
  return Timestamp(Duration(static_cast<Duration::rep>(microseconds)));
}

inline CouponCode code(std::uint64_t number) {
  CouponCode::Bytes bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return CouponCode(bytes);
}

/// Coupon n: user "u<n>", number n, code n, decided at 1000 n, acknowledged from 1000 n - 500 to 1000 n +
/// 400.
inline Coupon coupon(std::uint64_t n) {
  return {*UserId::parse("u" + std::to_string(n)), n, code(n), at(1000 * n)};
}

struct FakeSystem {
  FakeLog log;
  std::vector<StoredCoupon> rows;
  std::vector<LedgerHolder> holders;
  std::vector<NumberRange> missing;  // as the ledger tells
  std::vector<Acknowledgement> acks;
  std::vector<DeadLetter> letters;
  bool has_ledger = true;
  std::function<LogPosition()> stored = [this] { return *log.end(); };
  std::uint64_t limit = 0;

  /// `count` coupons of a limit, all stored, held and acknowledged.
  FakeSystem(std::uint64_t limit_, std::uint64_t count) {
    define(limit_);
    for (std::uint64_t n = 1; n <= count; ++n) give(coupon(n));
  }
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;

  static CampaignId campaign() { return *CampaignId::parse("sale"); }

  void define(std::uint64_t new_limit) {
    limit = new_limit;
    CampaignDefinition definition;
    definition.id = campaign();
    definition.limit = limit;
    log.append(CampaignChanged{definition});
  }
  void log_only(const Coupon& given) {
    CouponIssued event;
    event.campaign = campaign();
    event.coupon = given;
    log.append(event);
  }
  void row_only(const Coupon& given) { rows.push_back({campaign(), given, false, std::nullopt}); }
  void holder_only(const Coupon& given) { holders.push_back({given, false, false, 1, 1}); }
  void ack_only(const Coupon& given, int status = 201) {
    Acknowledgement ack;
    ack.user = std::string(given.user.text());
    ack.status = status;
    ack.code = given.code;
    ack.sequence = given.sequence;
    ack.sent_at = given.decided_at - Duration(500);
    ack.received_at = given.decided_at + Duration(400);
    ack.where = "acks:" + std::to_string(acks.size() + 1);
    acks.push_back(ack);
  }
  void refuse(std::uint64_t sent, std::uint64_t received) {
    Acknowledgement ack;
    ack.user = "late";
    ack.status = 410;
    ack.problem = "sold-out";
    ack.sent_at = at(sent);
    ack.received_at = at(received);
    ack.where = "acks:" + std::to_string(acks.size() + 1);
    acks.push_back(ack);
  }
  void give(const Coupon& given) {
    log_only(given);
    row_only(given);
    holder_only(given);
    ack_only(given);
  }

  Result<AuditReport> audit(bool fairness = false, std::size_t page = 3) {
    FakeHolders ledger(holders, missing);
    VectorSource<Acknowledgement> told(acks);
    FakeRows stored_rows(rows, stored, letters);
    AuditInput input;
    input.log = &log;
    input.rows = &stored_rows;
    input.ledger = has_ledger ? &ledger : nullptr;
    input.acknowledgements = {&told};
    AuditOptions options;
    options.campaign = campaign();
    options.fairness = fairness;
    options.page = page;
    return run_audit(input, std::move(options));
  }
};

/// The promises that a report says are broken.
inline std::vector<Promise> broken(const Result<AuditReport>& report) {
  std::vector<Promise> out;
  for (std::size_t i = 0; i < kPromises; ++i) {
    if (!report->verdicts[i].ok()) out.push_back(static_cast<Promise>(i + 1));
  }
  return out;
}

}  // namespace doorbuster::audit::test
