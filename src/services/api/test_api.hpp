#pragma once
// The API over a ledger in memory, a log and a repository that the test can break: for this folder's tests.

#include <functional>
#include <map>
#include <mutex>

#include "adapters/memory/memory_ledger.hpp"
#include "ports/campaign_catalog.hpp"
#include "services/api/api_endpoints.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::api {

/// Answers every append in the next turn.
class TestLog final : public EventLog {
 public:
  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override {
    if (!failure) appended.insert(appended.end(), events.begin(), events.end());
    on.post([failure = failure, done = std::move(done)]() mutable {
      done(failure ? Result<void>(*failure) : Result<void>());
    });
  }
  bool accepting() const override { return open; }

  std::vector<CouponIssued> appended;
  std::optional<Error> failure;
  bool open = true;
};

class TestCatalog final : public CampaignCatalog {
 public:
  void put(CampaignDefinition definition, Executor& on, Done<void> done) override {
    definitions[definition.id] = definition;
    on.post([done = std::move(done)]() mutable { done({}); });
  }
  void get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) override {
    std::optional<CampaignDefinition> found;
    if (const auto at = definitions.find(id); at != definitions.end()) found = at->second;
    on.post([found, done = std::move(done)]() mutable { done(found); });
  }
  void list(Executor& on, Done<std::vector<CampaignDefinition>> done) override {
    std::vector<CampaignDefinition> all;
    for (const auto& [id, definition] : definitions) all.push_back(definition);
    on.post([all, done = std::move(done)]() mutable { done(all); });
  }

  std::map<CampaignId, CampaignDefinition> definitions;
};

/// Has what the test puts into it. Called on look-up threads.
class TestRepository final : public CouponRepository {
 public:
  void store(StoredCoupon coupon) {
    const std::lock_guard lock(mutex_);
    coupons_.push_back(std::move(coupon));
  }
  void fail_with(std::optional<Error> failure) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }

  Result<std::optional<StoredCoupon>> find(const CouponCode& code) override {
    return find_if([&](const StoredCoupon& each) { return each.coupon.code == code; });
  }
  Result<std::optional<StoredCoupon>> find(const CampaignId& campaign, const UserId& user) override {
    return find_if(
        [&](const StoredCoupon& each) { return each.campaign == campaign && each.coupon.user == user; });
  }
  Result<std::vector<StoredCoupon>> list(const CampaignId& campaign, std::uint64_t after,
                                         std::size_t max) override {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    std::vector<StoredCoupon> page;
    for (const auto& each : coupons_) {
      if (page.size() < max && each.campaign == campaign && each.coupon.sequence > after) page.push_back(each);
    }
    return page;
  }
  Result<Redemption> redeem(const CouponCode& code, const std::string& key, Timestamp now) override {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    for (auto& each : coupons_) {
      if (each.coupon.code != code) continue;
      if (!each.redeemed_at) {
        each.redeemed_at = now;
        keys_[code] = key;
        return Redemption{code, now, false};
      }
      if (!key.empty() && keys_[code] == key) return Redemption{code, *each.redeemed_at, true};
      return make_error(ErrorCode::conflict, "this coupon has been redeemed");
    }
    return make_error(ErrorCode::not_found, "no such coupon");
  }
  Result<LogPosition> stored_through() override { return LogPosition{0}; }
  Result<std::vector<DeadLetter>> dead_letters(std::size_t) override { return std::vector<DeadLetter>(); }

 private:
  template <class Wanted>
  Result<std::optional<StoredCoupon>> find_if(Wanted wanted) {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    for (const auto& each : coupons_) {
      if (wanted(each)) return std::optional(each);
    }
    return std::optional<StoredCoupon>();
  }

  std::mutex mutex_;
  std::vector<StoredCoupon> coupons_;
  std::map<CouponCode, std::string> keys_;
  std::optional<Error> failure_;
};

struct Answered {
  http::Response response;
  std::vector<std::string> pieces;  ///< of a stream
  bool cut = false;                 ///< the stream failed
  bool complete = false;

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
  void set_state(const std::string& id, const std::string& state) {
    const auto answer =
        ask({http::Method::patch, "/v1/campaigns/" + id, R"({"state":")" + state + R"("})"});
    DOORBUSTER_ASSERT(answer.status() == 200);
  }

  test::ManualClock clock;
  test::ManualExecutor executor{clock};
  SeededRandom random{1};
  MemoryLedger ledger{clock, random};
  TestLog log;
  TestCatalog catalog;
  TestRepository repository;
  obs::Registry metrics;
  IssueService issue_service{executor, clock, ledger, log, IssueOptions{}};
  CampaignService campaign_service{executor, clock, ledger, catalog};
  ApiEndpoints endpoints;
  rt::Offload offload{"db", 1, 16};  // ends first: its jobs use the rest

 private:
  ApiParts parts() {
    return {executor,   clock,   ledger, issue_service, campaign_service,
            repository, offload, log,    metrics};
  }
};

}  // namespace doorbuster::api
