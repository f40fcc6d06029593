#pragma once
// What an audit reads: four plain sources, so that the checks run against an embedded system, against files
// alone, and in tests against sources that are broken on purpose.
//
// Ownership and thread: the caller owns the sources for the length of run_audit(), which calls them from its
// own thread, one at a time; every call may block.

#include <optional>
#include <string>
#include <vector>

#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"

namespace doorbuster::audit {

/// One holder as the ledger knows it.
struct LedgerHolder {
  Coupon coupon;
  bool pending = false;
  bool refilled = false;
  std::uint32_t epoch = 1;
  std::uint32_t revision = 1;
};

/// What one client saw of one request.
struct Acknowledgement {
  std::string user;
  int status = 0;       ///< 0: no reply came
  std::string problem;  ///< for a refusal: the last part of its problem type ("sold-out"); empty when unknown
  std::optional<CouponCode> code;
  std::uint64_t sequence = 0;  ///< 0: the reply named none
  std::optional<Timestamp> sent_at;
  std::optional<Timestamp> received_at;
  std::string where;  ///< file and line, for the report
};

/// A source that is read once, front to back. next() gives at most `max` values; none at the end.
template <class T>
class ForwardSource {
 public:
  virtual ~ForwardSource() = default;
  /// \returns unavailable, corrupt, malformed, not_found
  virtual Result<std::vector<T>> next(std::size_t max) = 0;
};

/// Holders of the campaign. The order does not matter.
class HolderSource : public ForwardSource<LedgerHolder> {
 public:
  /// Numbers that the ledger knows to be missing after a loss, and will give out before any new one.
  virtual Result<std::vector<NumberRange>> missing() = 0;
};
using AcknowledgementSource = ForwardSource<Acknowledgement>;

/// The rows of the campaign in the repository: all of them, those above the contiguous watermark, too, which
/// CouponRepository::list() does not show.
class RowSource : public ForwardSource<StoredCoupon> {
 public:
  /// Everything up to here is stored.
  virtual Result<LogPosition> stored_through() = 0;
  /// How many records the worker put aside instead of storing them; they count as not stored.
  virtual Result<std::vector<DeadLetter>> dead_letters(std::size_t max) = 0;
};

struct AuditInput {
  EventSource* log = nullptr;
  RowSource* rows = nullptr;
  /// nullptr: no ledger is running. It would be rebuilt from the log, so the log stands for it, and the
  /// report says so.
  HolderSource* ledger = nullptr;
  std::vector<AcknowledgementSource*> acknowledgements;
};

}  // namespace doorbuster::audit
