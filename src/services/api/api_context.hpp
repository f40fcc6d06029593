#pragma once
// What all endpoints share: the parts they work with, the options, the counts.
//
// One shard. Completions of requests in the air keep the context alive; the parts that it refers to must
// outlive them, too (the composition stops the shard and the look-up threads before it destroys them).

#include <array>
#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "obs/counter.hpp"
#include "obs/metrics.hpp"
#include "ports/coupon_repository.hpp"
#include "ports/event_log.hpp"
#include "ports/ledger.hpp"
#include "rt/offload.hpp"
#include "services/api/auth.hpp"
#include "services/api/campaign_service.hpp"
#include "services/api/issue_service.hpp"
#include "services/api/reply.hpp"

namespace doorbuster::api {

class AsyncIssue;

struct ApiParts {
  Executor& executor;  ///< the shard
  Clock& clock;
  Ledger& ledger;
  IssueService& issue;
  CampaignService& campaigns;
  CouponRepository& repository;
  rt::Offload& offload;  ///< threads for the repository
  EventLog& log;
  obs::Registry& metrics;  ///< what `/metrics` shows; these endpoints add themselves
};

struct ApiOptions {
  std::string shard = "io-0";  ///< label of this shard's metrics, different on each
  Authorizer authorizer;       ///< default: open mode
  CampaignId default_campaign = *CampaignId::parse("default");  ///< of `POST /coupon/issue`
  std::string log_strength = "log";              ///< how replies name the durability `log`: `log(rf=1)`
  Strategy default_strategy = Strategy::atomic;  ///< of campaigns that are created without one
  /// Of campaigns with the strategy `async-queue`; null: there are none. Outlives the endpoints.
  AsyncIssue* async = nullptr;
  /// How a campaign decides. Called on the shard, and only with `async`.
  std::function<Strategy(const CampaignId&)> strategy_of;
  /// Has the worker stored everything that was in the log when this was called? Called on a look-up thread,
  /// and only after a miss. Empty: always.
  std::function<Result<bool>()> worker_caught_up;
  /// Is the process ready but for the log? An error says what it waits for. Called on the shard. Empty:
  /// always.
  std::function<Result<void>()> ready;
};

/// Counts of this shard.
struct ApiStats {
  std::array<obs::Counter, 6> replies;          ///< by first digit of the status
  std::array<obs::Counter, 10> issue_outcomes;  ///< by Outcome
  std::array<obs::Counter, 16> issue_errors;    ///< by ErrorCode
  obs::Histogram issue_time;                    ///< from the parsed request to its reply
};

struct ApiContext : std::enable_shared_from_this<ApiContext> {
  ApiContext(ApiParts the_parts, ApiOptions the_options)
      : parts(the_parts), options(std::move(the_options)) {}

  std::string_view durable(Durability durability) const {
    return durability == Durability::log ? std::string_view(options.log_strength) : to_text(durability);
  }
  void answer(Reply& reply, const http::Response& response) {
    count(response.status);
    reply.send(response);
  }
  void answer(Reply& reply, const Error& error);
  void answer_json(Reply& reply, int status, std::string body);
  void count(int status) { stats.replies[static_cast<std::size_t>(status / 100)].add(); }

  const ApiParts parts;
  const ApiOptions options;
  ApiStats stats;
};
using ContextPtr = std::shared_ptr<ApiContext>;

}  // namespace doorbuster::api
