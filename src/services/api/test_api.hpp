#pragma once
// The API over parts in memory, which a test can break: for this folder's tests.

#include <functional>

#include "adapters/memory/memory_catalog.hpp"
#include "adapters/memory/memory_event_log.hpp"
#include "adapters/memory/memory_ledger.hpp"
#include "adapters/memory/memory_repository.hpp"
#include "services/api/api_endpoints.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::api {

struct Answered {
  http::Response response;
  std::vector<std::string> pieces;  ///< of a stream
  bool cut = false;                 ///< the stream failed
  bool complete = false;
  std::function<void()> before_next_piece = {};

  int status() const { return response.status; }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
};

class TestSink final : public ReplySink {
 public:
  explicit TestSink(std::shared_ptr<Answered> into) : into_(std::move(into)) {}
  void send(const http::Response& response) override {
    into_->response = response;
    into_->complete = true;
  }
  void send_stream(const http::Response& head, std::unique_ptr<net::BodySource> body) override {
    into_->response = head;
    pull(into_, std::move(body));
  }

 private:
  static void pull(std::shared_ptr<Answered> into, std::shared_ptr<net::BodySource> body) {
    if (!into->pieces.empty() && into->before_next_piece) into->before_next_piece();
    body->next([into, body](Result<std::optional<std::string>> piece) {
      into->cut = !piece;
      into->complete = !piece || !*piece;
      if (into->complete) return;
      into->pieces.push_back(**piece);
      pull(into, body);
    });
  }

  std::shared_ptr<Answered> into_;
};

struct Ask {
  http::Method method = http::Method::get;
  std::string target;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// The endpoints and everything below them. Look-ups run on one real thread; everything else on the test's.
class TestApi {
 public:
  explicit TestApi(ApiOptions options = {}) : endpoints(parts(), std::move(options)) {
    ledger.finish_restore();
  }

  std::shared_ptr<Answered> start(const Ask& ask) {
    std::vector<http::HeaderView> headers;
    for (const auto& [name, value] : ask.headers) headers.push_back({name, value});
    http::Request request;
    request.method = ask.method;
    request.target = ask.target;
    const auto query = ask.target.find('?');
    request.path = std::string_view(ask.target).substr(0, query);
    if (query != std::string::npos) request.query = std::string_view(ask.target).substr(query + 1);
    request.headers = headers;
    request.body = ask.body;
    auto answered = std::make_shared<Answered>();
    endpoints.handle(request, Reply(std::make_unique<TestSink>(answered)));
    return answered;
  }

  Answered ask(const Ask& ask) {
    const auto answered = start(ask);
    const bool done = executor.wait_until([&] { return answered->complete; });
    DOORBUSTER_ASSERT(done);
    return *answered;
  }
  Answered get(std::string target) { return ask({http::Method::get, std::move(target)}); }
  Answered post(std::string target, std::string body = {}) {
    return ask({http::Method::post, std::move(target), std::move(body)});
  }
  Answered issue(const std::string& campaign, const std::string& user) {
    return post("/v1/campaigns/" + campaign + "/coupons", R"({"user_id":")" + user + R"("})");
  }
  void create(const std::string& id, std::uint64_t limit, const std::string& more = {}) {
    const auto answer = post("/v1/campaigns", R"({"id":")" + id + R"(","name":"Test","limit":)" +
                                                  std::to_string(limit) + more + "}");
    DOORBUSTER_ASSERT(answer.status() == 201);
  }
  /// Puts a coupon into the repository, as the worker does; its code is code_of(sequence).
  void store(const std::string& campaign, const std::string& user, std::uint64_t sequence) {
    CouponIssued event;
    event.campaign = *CampaignId::parse(campaign);
    event.coupon = {*UserId::parse(user), sequence, code_of(sequence), clock.now()};
    DOORBUSTER_ASSERT(repository.store({{++stored_, event}}));
  }
  static CouponCode code_of(std::uint64_t number) {
    CouponCode::Bytes bytes{};
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return CouponCode(bytes);
  }
  void set_state(const std::string& id, const std::string& state) {
    const auto answer = ask({http::Method::patch, "/v1/campaigns/" + id, R"({"state":")" + state + R"("})"});
    DOORBUSTER_ASSERT(answer.status() == 200);
  }

  test::ManualClock clock;
  test::ManualExecutor executor{clock};
  SeededRandom random{1};
  MemoryLedger ledger{clock, random};
  MemoryEventLog log;
  MemoryCatalog catalog{log};
  MemoryRepository repository;
  obs::Registry metrics;
  IssueService issue_service{executor, clock, ledger, log, IssueOptions{}};
  CampaignService campaign_service{executor, clock, ledger, catalog};
  ApiEndpoints endpoints;
  rt::Offload offload{"db", 1, 16};  // ends first: its jobs use the rest

 private:
  LogPosition stored_ = 0;

  ApiParts parts() {
    return {executor, clock, ledger, issue_service, campaign_service, repository, offload, log, metrics};
  }
};

}  // namespace doorbuster::api
