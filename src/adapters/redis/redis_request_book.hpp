#pragma once
// The book of queued requests in Redis (docs/redis.md, "Queued requests"): each call is one script, beside
// the ledger's on the shard's connection. One thread: the shard's.

#include "adapters/redis/ledger_core.hpp"
#include "base/random.hpp"
#include "ports/request_book.hpp"

namespace doorbuster {

class RedisRequestBook final : public RequestBook {
 public:
  /// \param connection, random outlive this. An owner's name is drawn from `random`.
  RedisRequestBook(redis::Connection& connection, RandomSource& random, RequestBookOptions options = {});

  void accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
              Done<void> done) override;
  void settle(std::vector<RequestAnswer> outcomes, Done<void> done) override;
  void take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) override;
  void find(std::string id, Done<std::optional<RequestAnswer>> done) override;

 private:
  /// When it is not known what Redis has noted under the present name: those requests must look like a dead
  /// owner's, so that somebody takes them over. What is in this process's hands already is then decided
  /// twice, which changes nothing.
  void take_another_name();
  bool failed(const Result<redis::Reply>& reply, Error& error);

  redis::Connection& connection_;
  RandomSource& random_;
  const RequestBookOptions options_;
  std::string owner_;
  std::string waiting_;  // key of this owner's requests
};

}  // namespace doorbuster
