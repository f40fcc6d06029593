#pragma once
// A registry without a socket, on a clock that stands still, for tests.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/eureka/codec.hpp"
#include "services/registry/registry_service.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::registry {

inline constexpr const char* kJson = "application/json";

struct TestRegistry {
  explicit TestRegistry(const RegistryOptions& options = {})
      : service(RegistryParts{executor, clock, metrics}, options) {}

  using Headers = std::vector<std::pair<std::string, std::string>>;

  Answer ask(http::Method method, const std::string& target, std::string_view body = {},
             const Headers& headers = {}) {
    std::vector<http::HeaderView> views;
    for (const auto& [name, value] : headers) views.push_back({name, value});
    http::Request request;
    request.method = method;
    request.target = target;
    const auto mark = target.find('?');
    request.path = std::string_view(target).substr(0, mark);
    if (mark != std::string::npos) request.query = std::string_view(target).substr(mark + 1);
    request.headers = views;
    request.body = body;
    return service.handle(request);
  }
  int status(http::Method method, const std::string& target, std::string_view body = {},
             const Headers& headers = {}) {
    return ask(method, target, body, headers).head.status;
  }
  Answer get(const std::string& target, const std::string& accept = kJson) {
    return ask(http::Method::get, target, {}, {{"Accept", accept}});
  }
  /// Registers APP/ID with what else is given as JSON members.
  int enroll(const std::string& app, const std::string& id, const std::string& more = "") {
    const auto body = R"({"instance":{"instanceId":")" + id +
                      R"(","hostName":"h","ipAddr":"127.0.0.1","app":")" + app +
                      R"(","port":{"$":80,"@enabled":"true"},"status":"UP")" + more + "}}";
    return status(http::Method::post, "/eureka/apps/" + app, body, {{"Content-Type", kJson}});
  }
  leases::Applications applications(const std::string& path = "/eureka/apps") {
    const auto answer = get(path);
    DOORBUSTER_ASSERT(answer.head.status == 200);
    return *eureka::read_applications(eureka::Format::json, text_of(answer));
  }
  /// The body, whichever way it comes. \pre no more than one piece
  static std::string text_of(const Answer& answer) {
    std::string text = answer.head.body;
    if (answer.body) {
      for (bool more = true; more;) {
        more = false;
        answer.body->next([&](Result<std::optional<std::string>> piece) {
          if (!piece || !*piece) return;
          text += **piece;
          more = true;
        });
      }
    }
    return text;
  }
  void pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock.advance(std::chrono::seconds(1));
      service.tick();
    }
  }

  test::ManualClock clock;
  test::ManualExecutor executor{clock};
  obs::Registry metrics;
  RegistryService service;
};

}  // namespace doorbuster::registry
