#pragma once
// Answers that several endpoints give. Private to src/services/registry.

#include <string>
#include <string_view>

#include "services/registry/registry_service.hpp"

namespace doorbuster::registry {

/// No body and no type of one: Java's clients read whatever body a heartbeat's answer has as an instance.
inline Answer bare(int status) {
  Answer answer;
  answer.head.status = status;
  answer.head.content_type = {};
  return answer;
}

inline Answer with_body(int status, std::string_view content_type, std::string body) {
  Answer answer;
  answer.head.status = status;
  answer.head.content_type = content_type;
  answer.head.body = std::move(body);
  return answer;
}

inline Answer not_allowed(std::string_view allowed) {
  auto answer = bare(405);
  answer.head.headers.emplace_back("Allow", allowed);
  return answer;
}

}  // namespace doorbuster::registry
