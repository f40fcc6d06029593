// Is the process alive, is it ready, what are its numbers?

#include "services/api/async_issue.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/problem.hpp"

namespace doorbuster::api {
namespace {

Result<void> readiness(const ApiContext& context) {
  if (context.options.ready) {
    if (const auto ready = context.options.ready(); !ready) return ready.error();
  }
  if (!context.parts.log.accepting()) {
    return make_error(ErrorCode::closed, "the event log takes no new events at this moment");
  }
  return {};
}

void write_issue_metrics(const ApiContext& context, obs::MetricsWriter& out) {
  constexpr std::string_view kRequests = "doorbuster_issue_requests_total";
  constexpr std::string_view kHelp = "Answered issue requests by outcome; errors by their problem type";
  const ApiStats& stats = context.stats;
  const std::string_view shard = context.options.shard;
  for (const auto& row : all_outcome_traits()) {
    if (row.retry == Retry::later) continue;  // these reach nobody as outcomes, only as errors
    out.counter(kRequests, kHelp, stats.issue_outcomes[static_cast<std::size_t>(row.outcome)].value(),
                {{"shard", shard}, {"outcome", to_text(row.outcome)}});
  }
  for (const auto& row : all_error_traits()) {
    const auto count = stats.issue_errors[static_cast<std::size_t>(row.code)].value();
    if (count != 0) out.counter(kRequests, kHelp, count, {{"shard", shard}, {"outcome", row.slug}});
  }
  out.histogram("doorbuster_issue_seconds", "Time from an issue request to its reply", stats.issue_time,
                {{"shard", shard}});

  const IssueStats& issue = context.parts.issue.stats();
  out.counter("doorbuster_issue_batches_total", "Batches decided", issue.batches.count(), {{"shard", shard}});
  out.counter("doorbuster_issue_batched_requests_total", "Requests in the batches decided",
              issue.batches.sum(), {{"shard", shard}});
  out.histogram("doorbuster_issue_batch_requests", "Requests that were decided together", issue.batches,
                {{"shard", shard}});
  out.counter("doorbuster_issue_relayed_total", "Events appended to the log again", issue.relayed,
              {{"shard", shard}});
  out.gauge("doorbuster_issue_in_flight", "Issue requests without an answer yet",
            static_cast<double>(issue.in_flight), {{"shard", shard}});
}

void write_queue_metrics(const ApiContext& context, obs::MetricsWriter& out) {
  if (context.options.async == nullptr) return;
  const std::string_view shard = context.options.shard;
  const AsyncStats& stats = context.options.async->stats();
  out.counter("doorbuster_queued_requests_total", "Issue requests answered 202", stats.accepted,
              {{"shard", shard}});
  out.counter("doorbuster_queued_refused_total", "Of campaigns with a queue, answered 503", stats.refused,
              {{"shard", shard}});
  out.counter("doorbuster_queued_taken_over_total", "Requests of processes that were not heard of any more",
              stats.taken_over, {{"shard", shard}});
  constexpr std::string_view kOutcomes = "doorbuster_queued_outcomes_total";
  constexpr std::string_view kHelp = "Outcomes of queued requests; failed: given up without one";
  for (const auto& row : all_outcome_traits()) {
    if (row.retry == Retry::later) continue;
    out.counter(kOutcomes, kHelp, stats.decided[static_cast<std::size_t>(row.outcome)],
                {{"shard", shard}, {"outcome", to_text(row.outcome)}});
  }
  out.counter(kOutcomes, kHelp, stats.failed, {{"shard", shard}, {"outcome", "failed"}});
  out.gauge("doorbuster_queued_waiting", "Queued requests whose outcome is not noted yet",
            static_cast<double>(stats.waiting), {{"shard", shard}});
  out.histogram("doorbuster_queued_seconds", "Time from a 202 to the outcome", stats.time,
                {{"shard", shard}});
}

void write_campaigns(const std::vector<CampaignView>& views, obs::MetricsWriter& out) {
  for (const auto& view : views) {
    const auto id = view.definition.id.text();
    out.gauge("doorbuster_campaign_limit", "Coupons of the campaign",
              static_cast<double>(view.definition.limit), {{"campaign", id}});
    out.gauge("doorbuster_campaign_issued", "Coupons decided, pending ones included",
              static_cast<double>(view.issued), {{"campaign", id}});
    out.gauge("doorbuster_campaign_durable", "Coupons decided and safe", static_cast<double>(view.durable),
              {{"campaign", id}});
  }
}

}  // namespace

void write_shard_metrics(const ApiContext& context, obs::MetricsWriter& out) {
  constexpr std::string_view kClasses[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 1; i < context.stats.replies.size(); ++i) {
    out.counter("doorbuster_http_replies_total", "Replies by class of status",
                context.stats.replies[i].value(), {{"shard", context.options.shard}, {"class", kClasses[i]}});
  }
  write_issue_metrics(context, out);
  write_queue_metrics(context, out);
}

void show_health(const ContextPtr& context, const Call&, Reply reply) {
  context->answer_json(reply, 200, R"({"status":"ok"})");
}

void show_readiness(const ContextPtr& context, const Call&, Reply reply) {
  if (const auto ready = readiness(*context); !ready) return context->answer(reply, ready.error());
  context->answer_json(reply, 200, R"({"status":"ready"})");
}

void show_metrics(const ContextPtr& context, const Call&, Reply reply) {
  context->parts.metrics.write(context->parts.executor, [context, reply = std::move(reply)](
                                                            obs::MetricsWriter out) mutable {
    out.gauge("doorbuster_lookups_waiting", "Look-ups in the queue of the database threads",
              static_cast<double>(context->parts.offload.waiting()));
    out.gauge("doorbuster_log_accepting", "1 while the event log takes new events",
              context->parts.log.accepting() ? 1 : 0);
    context->parts.ledger.list([context, out = std::move(out), reply = std::move(reply)](auto views) mutable {
      if (views) write_campaigns(*views, out);
      http::Response response;
      response.content_type = obs::kMetricsContentType;
      response.body = out.text();
      context->answer(reply, response);
    });
  });
}

}  // namespace doorbuster::api
