#pragma once
// Strategy `async-queue` (Q4.1 of the seed): the answer is 202 with the address of the outcome, and the
// decision is made behind a bounded queue of this process.
//
//   accept() ─▶ noted in the book as pending ─▶ 202        queue ─▶ IssueService ─▶ outcome noted in the book
//
// The process that said 202 decides, in the order of arrival. When it dies, another one finds its requests in
// the book and decides them (tick()). A request may so be decided twice, which does no harm: the decision is
// the atomic one, so the second finds the coupon of the first. What this strategy promises and what not:
// docs/strategies.md.
//
// Requests of one turn are noted by one call, and so are outcomes. Every request that was accepted or taken
// over holds its place in the bound until its outcome is noted.
//
// One shard. Completions after this object's end are dropped.

#include <array>
#include <memory>

#include "base/random.hpp"
#include "obs/histogram.hpp"
#include "ports/request_book.hpp"
#include "services/api/issue_service.hpp"

namespace doorbuster::api {

struct AsyncOptions {
  std::size_t most_waiting = 65'536;  ///< without an outcome in this process; beyond: overloaded
  std::size_t most_at_once = 4'096;   ///< of these, given to the issue service
  std::size_t most_noted = 512;       ///< in one call of the book
  std::size_t most_taken = 1'000;     ///< taken over at once
  /// What could not be decided or made safe is tried again, for so long; then the outcome is `failed`.
  Duration patience = std::chrono::seconds(60);
  Duration pause = std::chrono::milliseconds(200);
  std::string log_strength = "log";  ///< as ApiOptions::log_strength
};

struct AsyncStats {
  std::uint64_t accepted = 0;               ///< answered 202
  std::uint64_t refused = 0;                ///< the queue or the book was full, or the book was away
  std::uint64_t taken_over = 0;             ///< of owners that were not heard of any more
  std::array<std::uint64_t, 10> decided{};  ///< by Outcome
  std::uint64_t failed = 0;                 ///< given up after `patience`
  std::uint64_t waiting = 0;                ///< now: accepted or taken over, and their outcome is not noted
  obs::Histogram time;                      ///< from acceptance until the outcome is known
};

class AsyncIssue {
 public:
  using Accepted = UniqueFunction<void(Result<std::string>)>;  ///< the id of the request

  /// \param random makes ids
  AsyncIssue(Executor& executor, Clock& clock, IssueService& issue, RequestBook& book, RandomSource& random,
             AsyncOptions options = {});
  ~AsyncIssue();

  /// \returns overloaded, unavailable: nothing is queued. unknown_outcome: it may be decided in the end
  void accept(const IssueRequest& request, Accepted accepted);
  /// Says that this process lives, and takes over what those that do not have left. Called several times in
  /// RequestBookOptions::dead_after.
  void tick();

  RequestBook& book();
  const AsyncStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::api
