#pragma once
// The use case: somebody asks for a coupon. Batches what is in the air, decides, makes it safe, then answers.
//
//   submit() ... submit()      all requests of one turn of the loop, and those that waited (batch_gate.hpp)
//        └─ end of turn ──▶ Ledger::decide ──▶ EventLog::append ──▶ Ledger::confirm ──▶ answers
//                                              appends that end in one turn are confirmed together
//
// Rules of consistency.md kept here: 3 (201 and 200 only for durable coupons), 4 (410 only when all are
// durable), 2 (what was decided and could not be made durable is answered 503 and appended again by relay()).
// A request that meets a pending coupon is parked and asks again, for at most `patience`.
//
// One shard. Completions of ledger and log may come after this object is gone: they are dropped then.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/executor.hpp"
#include "obs/size_histogram.hpp"
#include "ports/event_log.hpp"
#include "ports/ledger.hpp"

namespace doorbuster::api {

/// What the user is told. `issued` and `already_issued` only for coupons that are safe.
struct IssueAnswer {
  Outcome outcome = Outcome::closed;
  Decision decision;
};

struct IssueStats {
  std::uint64_t issued = 0;
  std::uint64_t already = 0;
  std::uint64_t sold_out = 0;
  std::uint64_t other = 0;      ///< not started, paused, ended, unknown campaign
  std::uint64_t failed = 0;     ///< answered with an error (503)
  obs::SizeHistogram batches;   ///< requests in each batch decided
  std::uint64_t relayed = 0;    ///< events appended again
  std::uint64_t in_flight = 0;  ///< requests that have no answer yet
};

struct IssueOptions {
  Duration patience = std::chrono::seconds(1);  ///< longest wait for somebody else's pending coupon
  /// A pending event is appended again after this, and the age of the oldest append that is under way.
  Duration relay_after = std::chrono::milliseconds(250);
  std::size_t most_in_flight = 65'536;  ///< requests without an answer; beyond: overloaded
  std::size_t most_relayed = 1'000;     ///< events appended again in one go
  /// Longest wait of a request for the batch before its own (batch_gate.hpp). Zero: every turn has its batch,
  /// as befits a ledger in memory.
  Duration longest_gathering{};
  InstanceName instance;
};

class IssueService {
 public:
  using Answer = UniqueFunction<void(const Result<IssueAnswer>&)>;

  /// \param clock a BootClock
  IssueService(Executor& executor, Clock& clock, Ledger& ledger, EventLog& log, IssueOptions options);
  ~IssueService();

  /// Answers once: with an outcome, or with overloaded, closed, not_ready, unavailable, unknown_outcome (all
  /// 503).
  void submit(IssueRequest request, Answer answer);

  /// Appends overdue pending events again. Called every `relay_after` or so; does nothing while a relay is
  /// running.
  void relay();

  const IssueStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::api
