#pragma once
// A registry whose answers the test decides: for the faults that the real one cannot be brought to show. Any
// thread.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_server.hpp"
#include "proto/eureka/codec.hpp"

namespace doorbuster {

class ScriptedRegistry {
 public:
  explicit ScriptedRegistry(std::uint16_t port = 0) {
    shard_.start();
    shard_.run([&] {
      net::HttpServerOptions options;
      options.port = port;
      server_ = std::make_unique<net::HttpServer>(
          shard_, options, [this](const http::Request& request, net::Responder responder) {
            handle(request, std::move(responder));
          });
      listening_ = server_->listen().has_value();
      port_ = server_->port();
    });
  }
  ~ScriptedRegistry() {
    shard_.run([this] {
      events_.reset();
      server_ = nullptr;
    });
    shard_.stop();
  }

  std::uint16_t port() const { return port_; }
  bool listening() const { return listening_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/eureka/"; }

  void set_full(leases::Applications all) {
    const std::lock_guard lock(mutex_);
    full_ = std::move(all);
  }
  void set_delta(leases::Applications delta) {
    const std::lock_guard lock(mutex_);
    delta_ = std::move(delta);
  }
  void set_status(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  void set_delta_status(int status) {
    const std::lock_guard lock(mutex_);
    delta_status_ = status;
  }
  void set_renew_status(int status) {
    const std::lock_guard lock(mutex_);
    renew_status_ = status;
  }
  void offer_events() {
    const std::lock_guard lock(mutex_);
    with_events_ = true;
  }
  /// \param id the version that it tells of; none without
  void tell_event(const std::string& id = {}) {
    shard_.post([this, id] {
      if (events_) events_->tell("event: change\n" + (id.empty() ? id : "id: " + id + "\n") + "data: {}\n\n");
    });
  }
  /// `GET /apps/` and so on; waits until one that was not told before begins with `start`.
  std::string await(const std::string& start) {
    std::unique_lock lock(mutex_);
    std::size_t found = 0;
    const bool came = arrived_.wait_for(lock, std::chrono::seconds(10), [&] {
      for (found = told_; found < requests_.size(); ++found) {
        if (requests_[found].substr(0, start.size()) == start) return true;
      }
      return false;
    });
    if (!came) return {};
    told_ = found + 1;
    return requests_[found];
  }
  std::string last_authorization() {
    const std::lock_guard lock(mutex_);
    return authorization_;
  }

 private:
  class Events final : public net::BodySource {
   public:
    struct Channel {
      Next waiting;
      std::string unsent = ": open\n\n";
      void tell(std::string_view text) {
        unsent += text;
        if (waiting) std::exchange(waiting, nullptr)(std::optional(std::exchange(unsent, {})));
      }
    };
    explicit Events(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
    void next(Next done) override {
      if (!channel_->unsent.empty()) return done(std::optional(std::exchange(channel_->unsent, {})));
      channel_->waiting = std::move(done);
    }

   private:
    std::shared_ptr<Channel> channel_;
  };

  void handle(const http::Request& request, net::Responder responder) {
    std::unique_lock lock(mutex_);
    requests_.push_back(std::string(to_text(request.method)) + " " + std::string(request.target) + " " +
                        std::string(request.body));
    authorization_ = request.header("Authorization");
    arrived_.notify_all();
    http::Response response;
    response.status = status_;
    if (request.path == "/v1/registry/events") {
      if (!with_events_) {
        response.status = 404;
        return responder.send(response);
      }
      response.content_type = "text/event-stream";
      events_ = std::make_shared<Events::Channel>();
      return responder.send_stream(response, std::make_unique<Events>(events_));
    }
    if (status_ == 200) {
      if (request.path == "/eureka/apps/") {
        response.body = eureka::write_applications(eureka::Format::json, full_);
      } else if (request.path == "/eureka/apps/delta") {
        response.status = delta_status_;
        response.body = eureka::write_applications(eureka::Format::json, delta_);
      } else if (request.method == http::Method::post) {
        response.status = 204;
      } else if (request.method == http::Method::put && request.path.find("/status") == std::string::npos) {
        response.status = renew_status_;
      }
    }
    responder.send(response);
  }

  rt::Shard shard_{"registry"};
  std::unique_ptr<net::HttpServer> server_;
  std::shared_ptr<Events::Channel> events_;  // of the shard's thread
  std::uint16_t port_ = 0;
  bool listening_ = false;

  std::mutex mutex_;  // guards the rest
  std::condition_variable arrived_;
  std::vector<std::string> requests_;
  std::size_t told_ = 0;
  std::string authorization_;
  leases::Applications full_{1, "", {}};
  leases::Applications delta_{1, "", {}};
  int status_ = 200;
  int delta_status_ = 200;
  int renew_status_ = 200;
  bool with_events_ = false;
};

}  // namespace doorbuster
