#pragma once
// Port: the book of queued requests (strategy `async-queue`). What was answered 202 is noted here first, and
// what became of it later, for any instance to tell. It is no primary data: a coupon that was decided is in
// the ledger, whatever the book says.
//
// A RequestBook object is one owner: the requests that it notes are its own, to be settled by it. An owner
// that has not been heard of for a while is taken for dead, and its requests are taken over by others. It may
// only have been slow: then two settle the same request, and the first outcome stays.
//
// Bounded: so many requests without an outcome, beyond them `overloaded`; so many outcomes, and each for so
// long, then they are forgotten.
//
// An object belongs to one shard (thread). Completions run on that shard, inside the call or later, once
// each.

#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.hpp"
#include "core/issuing/decision.hpp"

namespace doorbuster {

/// A request that has no outcome yet.
struct QueuedRequest {
  std::string id;
  IssueRequest request;
  Timestamp accepted_at{};
};

/// What is told of a request: that it is pending, or its outcome.
struct RequestAnswer {
  std::string id;
  UserId user;       ///< who asked: nobody else is told
  std::string body;  ///< JSON, as `GET /v1/requests/{id}` answers it
};

class RequestBook {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  virtual ~RequestBook() = default;

  /// Notes requests of this owner, each with what is told of it until it is settled: all of them, or none.
  /// \returns overloaded, unavailable; unknown_outcome, and then another owner will decide them in the end
  virtual void accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
                      Done<void> done) = 0;
  /// Notes outcomes. The first one of a request stays. May be told again after any failure.
  virtual void settle(std::vector<RequestAnswer> outcomes, Done<void> done) = 0;
  /// Says that this owner lives, and makes requests of dead ones its own: at most `max`, the oldest of what
  /// it took first. `max` 0: only says that it lives.
  virtual void take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) = 0;
  /// Nothing when there was no such request, or it is forgotten.
  virtual void find(std::string id, Done<std::optional<RequestAnswer>> done) = 0;
};

struct RequestBookOptions {
  std::size_t most_pending = 200'000;             ///< requests of all owners without an outcome
  std::size_t most_settled = 500'000;             ///< outcomes kept; the oldest are forgotten first
  Duration kept_for = std::chrono::minutes(15);   ///< an outcome; it is looked for when others come
  Duration dead_after = std::chrono::seconds(3);  ///< without a word of its owner
};

}  // namespace doorbuster
