#pragma once
// The HTTP API of contract.md section 3, but for the queue: finds the endpoint of a request, checks who asks,
// and hands it over. Described in docs/openapi.yaml; a test holds the two against each other.
//
//   net::HttpServer server(shard, options, [&](const http::Request& request, net::Responder responder) {
//     endpoints.handle(request, std::move(responder));
//   });

#include <memory>

#include "services/api/api_context.hpp"

namespace doorbuster::api {

/// One shard.
class ApiEndpoints {
 public:
  /// Adds its counts to `parts.metrics`: made before the first scrape.
  ApiEndpoints(ApiParts parts, ApiOptions options);

  /// Answers once, at once or later. net::Responder turns into a Reply.
  void handle(const http::Request& request, Reply reply);

  const ApiStats& stats() const { return context_->stats; }

 private:
  void dispatch(const http::Request& request, Reply reply);

  std::shared_ptr<ApiContext> context_;
};

}  // namespace doorbuster::api
