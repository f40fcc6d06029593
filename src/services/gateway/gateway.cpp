#include "services/gateway/gateway.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "proto/http/characters.hpp"
#include "proto/http/problem.hpp"
#include "services/gateway/exchange.hpp"
#include "services/gateway/forward.hpp"

namespace doorbuster::gateway {
namespace {

using net::UpstreamFailure;

constexpr Duration kSweep = std::chrono::milliseconds(100);
/// Each one shows another instance as gone, so they end by themselves; this is for a directory gone mad.
constexpr std::uint32_t kMostRefusals = 32;
constexpr int kRetryAfterSeconds = 1;
/// Nobody gets it: what the access log shows when the client has gone before its reply.
constexpr int kClientGone = 499;
/// What of an exchange's buffer is kept for the next request.
constexpr std::size_t kMostBytesKept = 16 * 1024;

ServiceList instances_of(const Route& route) {
  ServiceList list;
  for (const auto& address : route.addresses) {
    ServiceInstance instance;
    instance.id = fmt::format("{}:{}", address.host, address.port);
    instance.service = route.name;
    instance.host = address.host;
    instance.port = address.port;
    if (route.pipelining > 0) {
      instance.metadata[std::string(kPipeliningMetadata)] = std::to_string(route.pipelining);
    }
    list.push_back(std::move(instance));
  }
  return list;
}

/// An event stream has no end: on a shared connection it would hold up all others.
bool asks_for_events(const http::Request& request) {
  return request.method == http::Method::get &&
         request.header("accept").find("text/event-stream") != std::string_view::npos;
}

/// The instance's own fault, as far as one can tell from outside. 503 is not: it is how an instance says that
/// it has enough to do, or that something behind it has not.
bool is_failure(int status) {
  return status == 500 || status == 502 || status == 504;
}

}  // namespace

/// Counts a long reply as outstanding at its instance until its end.
class Gateway::StreamedBody final : public net::BodySource {
 public:
  StreamedBody(std::unique_ptr<net::BodySource> inner, ServicePool& service,
               balancing::Balancer::Index instance, std::shared_ptr<bool> alive)
      : inner_(std::move(inner)), service_(service), instance_(instance), alive_(std::move(alive)) {}
  StreamedBody(const StreamedBody&) = delete;
  StreamedBody& operator=(const StreamedBody&) = delete;
  ~StreamedBody() override {
    if (*alive_) service_.ended(instance_, false, net::UpstreamHost::precise_now());
  }
  void next(Next done) override { inner_->next(std::move(done)); }

 private:
  std::unique_ptr<net::BodySource> inner_;
  ServicePool& service_;
  balancing::Balancer::Index instance_;
  std::shared_ptr<bool> alive_;
};

Gateway::Gateway(rt::Shard& shard, net::UpstreamHost& upstreams, SeededRandom& random,
                 ServiceDirectory& directory, InstanceLookup& lookup,
                 std::shared_ptr<const RouteTable> routes, FilterChain filters, GatewayOptions options,
                 const obs::Registry* metrics)
    : shard_(shard),
      upstreams_(upstreams),
      directory_(directory),
      lookup_(lookup),
      routes_(std::move(routes)),
      filters_(std::move(filters)),
      options_(std::move(options)),
      metrics_(metrics) {
  for (const auto& route : routes_->routes()) {
    const auto known = std::find_if(services_.begin(), services_.end(),
                                    [&](const auto& service) { return service->name() == route.name; });
    service_of_route_.push_back(static_cast<std::size_t>(known - services_.begin()));
    if (known != services_.end()) continue;
    services_.push_back(std::make_unique<ServicePool>(upstreams_, random, route.name, options_.service));
    if (route.service.empty()) services_.back()->update(instances_of(route));
  }
  update_services();
  directory_.subscribe(shard_, [this, alive = alive_] {
    if (*alive) update_services();
  });
  sweep();
}

Gateway::~Gateway() {
  *alive_ = false;
  for (auto& exchange : exchanges_) {
    if (exchange->in_use && exchange->at_instance) {
      pool_of(*exchange->route).connections(exchange->instance).cancel(*exchange, false);
    }
  }
}

/// Where requests ask elsewhere, the lists come with their answers. Only before the first one, somebody has
/// to ask who is no request: a gateway that has found nothing is not ready, and gets none.
void Gateway::update_services() {
  for (const auto& route : routes_->routes()) {
    if (route.service.empty()) continue;
    auto& service = pool_of(route);
    if (lookup_.is_local()) {
      service.update(*directory_.instances(route.service));
    } else if (!service.was_found()) {
      lookup_.look_up(route.service,
                      [&service, alive = alive_](Result<std::shared_ptr<const ServiceList>> found) {
                        if (*alive && found) service.update(**found);
                      });
    }
  }
}

Exchange& Gateway::new_exchange() {
  if (free_.empty()) {
    exchanges_.push_back(std::make_unique<Exchange>(*this));
    free_.push_back(exchanges_.back().get());
  }
  auto& exchange = *free_.back();
  free_.pop_back();
  exchange.in_use = true;
  ++exchange.generation;
  ++in_flight_;
  return exchange;
}

void Gateway::release(Exchange& exchange) {
  exchange.responder = {};
  exchange.upload = nullptr;
  exchange.in_use = false;
  exchange.bytes.clear();
  if (exchange.bytes.capacity() > kMostBytesKept) exchange.bytes.shrink_to_fit();
  --in_flight_;
  free_.push_back(&exchange);
}

void Gateway::handle(const http::Request& request, net::Responder responder) {
  if (answer_own(request, responder)) return;
  auto& exchange = new_exchange();
  exchange.responder = std::move(responder);
  exchange.began = net::UpstreamHost::precise_now();
  exchange.retries = exchange.refusals = 0;
  exchange.at_instance = false;
  exchange.instance = balancing::Balancer::kNone;
  exchange.route = nullptr;
  auto& passage = exchange.passage;
  passage.clear();
  passage.request = &request;
  for (auto& filter : filters_) {
    if (auto answered = filter->on_request(passage)) {
      ++stats_.answered_by_filters;
      return answer(exchange, std::move(*answered));
    }
  }
  const auto* route = routes_->find(request);
  if (route == nullptr) {
    ++stats_.no_route;
    return answer(exchange, http::problem(404, "not-found", "There is nothing here",
                                          "no route of this gateway leads to this path"));
  }
  if (in_flight_ > options_.most_in_flight) {
    ++stats_.overflows;
    return answer(exchange, http::server_problem(503, "this gateway has as many requests as it takes"),
                  kRetryAfterSeconds);
  }
  exchange.route = route;
  exchange.to_head = request.method == http::Method::head;
  exchange.idempotent = route->is_idempotent(request);
  exchange.has_upload = request.streamed;
  exchange.exclusive = route->exclusive || request.streamed || asks_for_events(request);
  exchange.deadline = exchange.began + route->timeout.value_or(options_.request_timeout);
  exchange.head_size = write_request(request, *route, passage, exchange.bytes);
  if (request.streamed) {
    exchange.upload = exchange.responder.take_body();
    exchange.upload_length = request.length;
  }
  passage.request = nullptr;
  exchange.responder.watch_client(&exchange);
  pool_of(*route).budget().request();
  if (lookup_.is_local() || route->service.empty()) {
    dispatch(exchange);
  } else {
    look_up(exchange);
  }
}

/// Asks for the instances first; what comes replaces what the pool knew.
void Gateway::look_up(Exchange& exchange) {
  lookup_.look_up(exchange.route->service,
                  [this, &exchange, generation = exchange.generation,
                   alive = alive_](Result<std::shared_ptr<const ServiceList>> found) {
                    // It may have timed out meanwhile, or its client has gone.
                    if (!*alive || !exchange.in_use || exchange.generation != generation) return;
                    if (found) {
                      pool_of(*exchange.route).update(**found);
                      return dispatch(exchange);
                    }
                    ++stats_.no_instance;
                    answer(exchange, http::server_problem(503, found.error().detail), kRetryAfterSeconds);
                  });
}

void Gateway::dispatch(Exchange& exchange) {
  auto& service = pool_of(*exchange.route);
  const auto picked = service.balancer().pick(upstreams_.now(), exchange.instance);
  if (!picked) {
    ++stats_.no_instance;
    return answer(
        exchange,
        http::server_problem(503, fmt::format("no instance of '{}' can be reached", service.name())),
        kRetryAfterSeconds);
  }
  exchange.instance = *picked;
  exchange.at_instance = true;
  service.balancer().began(*picked);
  if (service.connections(*picked).send(exchange, exchange.exclusive)) return;
  exchange.at_instance = false;
  service.abandoned(*picked);
  ++stats_.overflows;
  answer(exchange,
         http::server_problem(503, fmt::format("'{}' has as many requests as it takes", service.name())),
         kRetryAfterSeconds);
}

void Gateway::on_reply(Exchange& exchange, const http::ReplyHead& head, std::string_view body) {
  exchange.at_instance = false;
  const auto now = net::UpstreamHost::precise_now();
  pool_of(*exchange.route).ended(exchange.instance, is_failure(head.status()), now);
  net::ReplyFrame frame;
  if (auto* out = exchange.responder.begin(false, frame)) {
    write_reply_head(head, body.size(), false, frame, exchange.passage.reply_added, *out);
    if (!frame.head_only) *out += body;
    exchange.responder.end();
  }
  exchange.passage.took = now - exchange.began;
  finish(exchange, head.status(), body.size());
}

void Gateway::on_stream(Exchange& exchange, const http::ReplyHead& head,
                        std::unique_ptr<net::BodySource> body) {
  exchange.at_instance = false;
  ++stats_.streams;
  exchange.passage.took = net::UpstreamHost::precise_now() - exchange.began;
  auto counted =
      std::make_unique<StreamedBody>(std::move(body), pool_of(*exchange.route), exchange.instance, alive_);
  const bool has_length = head.body() == http::ReplyHead::Body::counted;
  net::ReplyFrame frame;
  if (auto* out = exchange.responder.begin_stream(has_length, frame)) {
    write_reply_head(head, head.length(), !has_length && !frame.chunked, frame, exchange.passage.reply_added,
                     *out);
    exchange.responder.end_stream(std::move(counted));
  }
  finish(exchange, head.status(), 0);
}

/// A long body takes as long as it takes, while it goes on; the time for the reply begins at its end.
void Gateway::on_upload_progress(Exchange& exchange) {
  exchange.deadline = upstreams_.now() + exchange.route->timeout.value_or(options_.request_timeout);
}

/// Out of the budget, the first time too: when what is behind all instances is slow, they all stall, and to
/// send everything twice would make it slower still. Whoever may not move waits where it is.
bool Gateway::may_move(Exchange& exchange) {
  const auto now = upstreams_.now();
  return exchange.idempotent && !exchange.has_upload && exchange.retries == 0 && options_.most_retries > 0 &&
         now < exchange.deadline && pool_of(*exchange.route).budget().take(now);
}

bool Gateway::may_retry(Exchange& exchange, UpstreamFailure failure, bool sent) {
  if (exchange.has_upload || failure == UpstreamFailure::upload) return false;
  if (failure == UpstreamFailure::stalled) {  // may_move() has said yes
    ++exchange.retries;
    return true;
  }
  if (sent && !exchange.idempotent) return false;
  if (upstreams_.now() >= exchange.deadline) return false;
  if (failure == UpstreamFailure::refused) return ++exchange.refusals <= kMostRefusals;
  if (exchange.retries >= options_.most_retries) return false;
  const bool first_loss = exchange.retries == 0;
  if (!first_loss && !pool_of(*exchange.route).budget().take(upstreams_.now())) {
    ++stats_.retries_denied;
    return false;
  }
  ++exchange.retries;
  return true;
}

void Gateway::on_failure(Exchange& exchange, UpstreamFailure failure, bool sent, std::string_view detail) {
  auto& service = pool_of(*exchange.route);
  exchange.at_instance = false;
  if (failure == UpstreamFailure::refused) service.refused(exchange.instance);
  if (failure == UpstreamFailure::upload || failure == UpstreamFailure::stalled ||
      (failure == UpstreamFailure::lost && !sent)) {
    service.abandoned(exchange.instance);
  } else {
    service.ended(exchange.instance, true, upstreams_.now());
  }
  if (may_retry(exchange, failure, sent)) {
    ++(failure == UpstreamFailure::stalled ? stats_.retries_moved
       : sent                              ? stats_.retries_idempotent
                                           : stats_.retries_unsent);
    return dispatch(exchange);
  }
  if (failure == UpstreamFailure::upload) {
    return answer(exchange, http::server_problem(400, detail.empty() ? "the body broke off" : detail));
  }
  ++stats_.lost;
  if (!sent) {
    return answer(
        exchange,
        http::server_problem(503, fmt::format("no instance of '{}' took the request", service.name())),
        kRetryAfterSeconds);
  }
  answer(exchange, http::problem(502, "unknown-outcome", "It may or may not have happened",
                                 failure == UpstreamFailure::malformed
                                     ? "the instance's reply cannot be read"
                                     : "the connection to the instance was lost before its reply"));
}

void Gateway::client_gone(Exchange& exchange) {
  ++stats_.clients_gone;
  give_up(exchange);
  finish(exchange, kClientGone, 0);
}

/// Takes the exchange away from its instance.
void Gateway::give_up(Exchange& exchange) {
  if (!std::exchange(exchange.at_instance, false)) return;
  auto& service = pool_of(*exchange.route);
  service.connections(exchange.instance).cancel(exchange, false);
  service.abandoned(exchange.instance);
}

void Gateway::answer(Exchange& exchange, http::Response response, int retry_after) {
  if (retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  net::ReplyFrame frame;
  if (auto* out = exchange.responder.begin(false, frame)) {
    std::string extra(frame.extra);
    extra += exchange.passage.reply_added;
    http::serialize(response, frame.head_only, frame.persistence, *out, extra);
    exchange.responder.end();
  }
  exchange.passage.took = net::UpstreamHost::precise_now() - exchange.began;
  finish(exchange, response.status, response.body.size());
}

void Gateway::finish(Exchange& exchange, int status, std::uint64_t bytes) {
  exchange.passage.status = status;
  exchange.passage.reply_bytes = bytes;
  if (status != kClientGone) {
    ++stats_.replies[static_cast<std::size_t>(status / 100)];
    stats_.time.record(exchange.passage.took);
  }
  for (auto& filter : filters_) filter->on_end(exchange.passage);
  release(exchange);
}

/// Deadlines: in one pass over all that are in the air, so that no request has a timer of its own.
void Gateway::sweep() {
  shard_.after(kSweep, [this, alive = alive_] {
    if (!*alive) return;
    const auto now = upstreams_.now();
    for (std::size_t i = 0; i < exchanges_.size() && in_flight_ > 0; ++i) {
      auto& exchange = *exchanges_[i];
      if (!exchange.in_use || exchange.route == nullptr || now < exchange.deadline) continue;
      ++stats_.timeouts;
      if (std::exchange(exchange.at_instance, false)) {
        auto& service = pool_of(*exchange.route);
        service.connections(exchange.instance).cancel(exchange, true);
        service.ended(exchange.instance, true, now);
      }
      answer(exchange, http::problem(504, "timeout", "No answer in time",
                                     "the instance did not answer in time; it may or may not have happened"));
    }
    if (!lookup_.is_local()) update_services();
    sweep();
  });
}

}  // namespace doorbuster::gateway
