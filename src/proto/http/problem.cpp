#include "proto/http/problem.hpp"

#include "base/error.hpp"

namespace doorbuster::http {
namespace {

void append_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
}

}  // namespace

Response problem(int status, std::string_view slug, std::string_view title, std::string_view detail) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = "{\"type\":\"/problems/";
  response.body += slug;
  response.body += "\",\"title\":\"";
  response.body += title;
  response.body += "\",\"status\":";
  response.body += std::to_string(status);
  response.body += ",\"detail\":\"";
  append_escaped(detail, response.body);
  response.body += "\"}";
  return response;
}

Response server_problem(int status, std::string_view detail) {
  const auto like = [&](ErrorCode code) {
    return problem(status, traits(code).slug, traits(code).title, detail);
  };
  switch (status) {
    case 400:
      return like(ErrorCode::malformed);
    case 408:
      return problem(408, "request-timeout", "The request did not arrive in time", detail);
    case 413:
      return like(ErrorCode::too_large);
    case 431:
      return problem(431, "headers-too-large", "The head of the request is too large", detail);
    case 501:
      return like(ErrorCode::unsupported);
    case 503: {
      auto response = like(ErrorCode::overloaded);
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    case 505:
      return problem(505, "http-version", "This version of HTTP is not spoken", detail);
    default:
      return like(ErrorCode::internal);
  }
}

}  // namespace doorbuster::http
