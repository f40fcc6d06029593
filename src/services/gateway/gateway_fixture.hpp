#pragma once
// What the gateway's tests share: a real gateway on a shard, before instances that follow a script.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_server_fixture.hpp"
#include "services/gateway/filters.hpp"
#include "services/gateway/gateway.hpp"
#include "services/gateway/scripted_upstream.hpp"

namespace doorbuster::gateway {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A directory that a test fills.
class TestDirectory final : public ServiceDirectory {
 public:
  std::shared_ptr<const ServiceList> instances(std::string_view) override {
    const std::lock_guard lock(mutex_);
    return list_;
  }
  void subscribe(Executor& on, UniqueFunction<void()> changed) override {
    on_ = &on;
    changed_ = std::make_shared<UniqueFunction<void()>>(std::move(changed));
  }
  void set(ServiceList list) {
    {
      const std::lock_guard lock(mutex_);
      list_ = std::make_shared<const ServiceList>(std::move(list));
    }
    if (on_ != nullptr) {
      on_->post([changed = changed_] { (*changed)(); });
    }
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const ServiceList> list_ = std::make_shared<const ServiceList>();
  Executor* on_ = nullptr;
  std::shared_ptr<UniqueFunction<void()>> changed_;
};

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    shard_.start();
    server_options_.most_header_bytes = 4096;
    server_options_.most_body_bytes = 64 * 1024;
    server_options_.most_streamed_bytes = 64 << 20;
    server_options_.most_pipelined = 1;
    server_options_.end_cancels = true;
    RouteEntry all;
    all.path = "/";
    all.to = "lb://shop";
    all.idempotent = "/once/*/same";
    all.place = "test";
    routes_ = {all};
    // Only instances that are out are checked: the scripts of the others see no request that is none of
    // theirs.
    options_.service.check_path.clear();
    options_.service.check_out_every = 50ms;
    options_.service.upstream.stall_after = 50ms;
    options_.service.upstream.move_after = 10s;
    options_.service.balancer.policy = balancing::Policy::round_robin;
  }
  ~GatewayTest() override {
    shard_.run([this] {
      server_ = nullptr;
      gateway_ = nullptr;
      upstreams_ = nullptr;
    });
    shard_.stop();
  }

  static ServiceInstance instance(std::uint16_t port, bool pipelined) {
    ServiceInstance made;
    made.id = "shop:" + std::to_string(port);
    made.service = "shop";
    made.host = "127.0.0.1";
    made.port = port;
    if (pipelined) made.metadata[std::string(kPipeliningMetadata)] = "64";
    return made;
  }

  void serve(ServiceList instances) {
    directory_.set(std::move(instances));
    shard_.run([this] {
      auto table = RouteTable::make(routes_);
      ASSERT_TRUE(table) << table.error().detail;
      upstreams_ = std::make_unique<net::UpstreamHost>(shard_);
      ASSERT_TRUE(upstreams_->start());
      FilterChain filters;
      filters.push_back(std::make_unique<HeaderHygiene>());
      filters.push_back(std::make_unique<RequestId>(random_));
      filters.push_back(std::make_unique<TraceContext>(random_));
      filters.push_back(std::make_unique<Forwarded>(*AddressRanges::parse(trusted_)));
      gateway_ = std::make_unique<Gateway>(shard_, *upstreams_, random_, directory_, lookup_,
                                           std::make_shared<const RouteTable>(std::move(*table)),
                                           std::move(filters), options_, &metrics_);
      server_ = std::make_unique<net::HttpServer>(
          shard_, server_options_, [this](const http::Request& request, net::Responder responder) {
            gateway_->handle(request, std::move(responder));
          });
      ASSERT_TRUE(server_->listen());
      port_ = server_->port();
    });
  }

  GatewayStats stats() {
    GatewayStats stats;
    shard_.run([&] { stats = gateway_->stats(); });
    return stats;
  }
  net::UpstreamStats upstream_stats() {
    net::UpstreamStats stats;
    shard_.run([&] { stats = upstreams_->stats(); });
    return stats;
  }
  /// Turns of the shard until it holds; for what another thread brings about.
  template <class Predicate>
  bool eventually(Predicate predicate) {
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < until) {
      bool holds = false;
      shard_.run([&] { holds = predicate(); });
      if (holds) return true;
      std::this_thread::yield();
    }
    return false;
  }

  static std::string get(const std::string& path, const std::string& fields = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: shop.test\r\n" + fields + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
    return "POST " + path + " HTTP/1.1\r\nHost: shop.test\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  /// An instance that answers every request with its target and body.
  static void echo(ScriptedUpstream::Connection& connection) {
    while (const auto request = connection.read()) {
      connection.answer(*request, request->target + "|" + request->body);
    }
  }

  rt::Shard shard_{"test"};
  SeededRandom random_{11};
  TestDirectory directory_;
  LocalLookup lookup_{directory_};
  obs::Registry metrics_;
  std::string trusted_;
  std::vector<RouteEntry> routes_;
  GatewayOptions options_;
  net::HttpServerOptions server_options_;
  std::unique_ptr<net::UpstreamHost> upstreams_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<net::HttpServer> server_;
  std::uint16_t port_ = 0;
};

inline std::string reply_with(const std::string& correlation, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + correlation + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

/// One that spoils its first connection by `script` and serves well afterwards.
class FirstConnectionFails {
 public:
  explicit FirstConnectionFails(ScriptedUpstream::Script script)
      : upstream_([this, script](ScriptedUpstream::Connection& connection) {
          if (seen_++ == 0) return script(connection);
          while (const auto request = connection.read()) connection.answer(*request, request->target);
        }) {}
  std::uint16_t port() const { return upstream_.port(); }
  int connections() const { return upstream_.connections(); }

 private:
  std::atomic<int> seen_{0};
  ScriptedUpstream upstream_;
};

}  // namespace doorbuster::gateway
