#include "adapters/eureka/registrar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "proto/eureka/codec.hpp"

namespace doorbuster {

using Call = discovery::RegistrationPlan::Call;

namespace {

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Registrar::Registrar(rt::Shard& shard, RegistryServers& servers, leases::InstanceInfo info,
                     Duration renew_every)
    : shard_(shard),
      servers_(servers),
      info_(std::move(info)),
      plan_(info_.status, renew_every, servers.now()) {}

void Registrar::set_status(leases::InstanceStatus status) {
  plan_.set_status(status);
  pump();
}

void Registrar::withdraw(UniqueFunction<void()> done) {
  withdrawn_ = std::move(done);
  plan_.withdraw();
  pump();
}

void Registrar::pump() {
  if (in_flight_) return;
  const auto step = plan_.next();
  if (!step) {
    if (withdrawn_) std::exchange(withdrawn_, nullptr)();
    return;
  }
  const auto choice = servers_.choose();
  const auto due = std::max(step->due, choice.not_before);
  if (due > servers_.now()) return wake_at(due);
  send(choice.server, step->call);
}

void Registrar::wake_at(discovery::Moment due) {
  shard_.after(due - servers_.now(), [this, alive = alive_, timer = ++timer_] {
    if (*alive && timer == timer_) pump();
  });
}

net::AsyncRequest Registrar::request_for(Call call) {
  net::AsyncRequest request;
  request.headers.emplace_back("Accept", "application/json");
  const auto app = "/apps/" + path_segment(info_.app);
  const auto own = app + "/" + path_segment(info_.instance_id);
  switch (call) {
    case Call::enroll:
      // The higher stamp wins at the registry, so that a late old copy does not undo this one.
      info_.last_dirty_ms = std::max(info_.last_dirty_ms + 1, wall_ms());
      info_.last_updated_ms = info_.last_dirty_ms;
      info_.status = plan_.status_to_enroll();
      request.method = "POST";
      request.target = app;
      request.content_type = "application/json";
      request.body = eureka::write_instance(eureka::Format::json, info_);
      break;
    case Call::renew:
      request.method = "PUT";
      request.target = fmt::format("{}?status={}&lastDirtyTimestamp={}", own, to_text(plan_.status()),
                                   info_.last_dirty_ms);
      break;
    case Call::set_override:
      request.method = "PUT";
      request.target = fmt::format("{}/status?value={}&lastDirtyTimestamp={}", own, to_text(plan_.status()),
                                   info_.last_dirty_ms);
      break;
    case Call::drop_override:
      request.method = "DELETE";
      request.target = fmt::format("{}/status?value={}&lastDirtyTimestamp={}", own, to_text(plan_.status()),
                                   info_.last_dirty_ms);
      break;
    case Call::cancel:
      request.method = "DELETE";
      request.target = own;
      break;
  }
  return request;
}

void Registrar::send(std::size_t server, Call call) {
  in_flight_ = true;
  plan_.sent(call);
  servers_.exchange(
      server, request_for(call),
      [this, alive = alive_, call](std::size_t asked, const Result<net::ClientResponse>& answer) {
        if (*alive) on_answer(asked, call, answer);
      });
}

void Registrar::on_answer(std::size_t server, Call call, const Result<net::ClientResponse>& answer) {
  in_flight_ = false;
  const int status = answer ? answer->status : discovery::RegistrationPlan::kNoAnswer;
  if (plan_.answered(call, status, servers_.now())) {
    servers_.answered(server);
    if (call == Call::enroll) {
      log().info("registry: {} {} is {} at {}", info_.app, info_.instance_id, to_text(info_.status),
                 servers_.shown(server));
    } else if (call != Call::cancel && status == 404) {
      log().info("registry: {} does not know this instance; registering again", servers_.shown(server));
    }
  } else {
    servers_.failed(server, answer ? fmt::format("status {} {}", status, answer->body.substr(0, 200))
                                   : answer.error().detail);
  }
  pump();
}

}  // namespace doorbuster
