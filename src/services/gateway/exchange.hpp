#pragma once
// One request in the air: what Gateway knows of it between the client and the instances. Private to gateway.
// Kept by the gateway and used again, so that nothing is allocated for a request in the steady state.

#include "services/gateway/gateway.hpp"

namespace doorbuster::gateway {

class Exchange final : public net::UpstreamRequest, public net::ClientWatcher {
 public:
  explicit Exchange(Gateway& gateway) : gateway_(gateway) {}

  void on_reply(const http::ReplyHead& head, std::string_view body) override {
    gateway_.on_reply(*this, head, body);
  }
  void on_stream(const http::ReplyHead& head, std::unique_ptr<net::BodySource> body) override {
    gateway_.on_stream(*this, head, std::move(body));
  }
  void on_failure(net::UpstreamFailure failure, bool sent, std::string_view detail) override {
    gateway_.on_failure(*this, failure, sent, detail);
  }
  void on_upload_progress() override { gateway_.on_upload_progress(*this); }
  bool may_move() override { return gateway_.may_move(*this); }
  void client_gone() override { gateway_.client_gone(*this); }

  net::Responder responder;
  Passage passage;
  const Route* route = nullptr;
  balancing::Balancer::Index instance = balancing::Balancer::kNone;
  Duration began{0};
  Duration deadline{0};
  std::uint64_t generation = 0;  // counts the requests that this was used for
  std::uint32_t retries = 0;
  std::uint32_t refusals = 0;
  bool in_use = false;
  bool at_instance = false;  // counted as outstanding there
  bool idempotent = false;
  bool has_upload = false;
  bool exclusive = false;

 private:
  Gateway& gateway_;
};

}  // namespace doorbuster::gateway
