#include "loadlab/reply.hpp"

#include <algorithm>
#include <charconv>

namespace doorbuster::loadlab {
namespace {

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {
    "issued",   "already",     "sold_out", "not_started", "ended",     "paused",    "accepted",
    "answered", "unavailable", "limited",  "denied",      "not_found", "unexpected"};

constexpr std::array<std::string_view, kErrorKinds> kErrorNames = {
    "connect_refused", "connect_timeout", "connect_failed", "no_local_port", "timeout",  "closed",
    "reset",           "bad_reply",       "http_401_403",   "http_404",      "http_429", "http_503",
    "http_4xx",        "http_5xx",        "http_other",     "interrupted"};

/// The text behind `key` (which ends with the colon), spaces skipped; empty when the key is not there.
std::string_view value_of(std::string_view body, std::string_view key) {
  const auto at = body.find(key);
  if (at == body.npos) return {};
  auto rest = body.substr(at + key.size());
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return rest;
}

std::string_view quoted(std::string_view value) {
  if (value.empty() || value.front() != '"') return {};
  value.remove_prefix(1);
  const auto end = value.find('"');
  return end == value.npos ? std::string_view{} : value.substr(0, end);
}

std::string_view quoted_or_digits(std::string_view value) {
  if (!value.empty() && value.front() == '"') return quoted(value);
  const auto end = value.find_first_not_of("0123456789");
  return value.substr(0, end);
}

std::string_view problem_of(std::string_view body) {
  constexpr std::string_view kKey = "/problems/";
  const auto at = body.find(kKey);
  if (at == body.npos) return {};
  const auto rest = body.substr(at + kKey.size());
  return rest.substr(0, rest.find('"'));
}

ReplyFacts failed(Outcome outcome, ErrorKind kind) {
  ReplyFacts facts;
  facts.outcome = outcome;
  facts.error = kind;
  return facts;
}

ReplyFacts answered(Outcome outcome) {
  ReplyFacts facts;
  facts.outcome = outcome;
  return facts;
}

ReplyFacts read_coupon(int status, std::string_view body) {
  ReplyFacts facts;
  facts.code = quoted(value_of(body, "\"code\":"));
  if (facts.code.empty()) return answered(Outcome::answered);
  facts.outcome = status == 201 ? Outcome::issued : Outcome::already;
  const auto digits = value_of(body, "\"sequence\":");
  std::from_chars(digits.data(), digits.data() + digits.size(), facts.sequence);
  facts.user = quoted_or_digits(value_of(body, "\"user_id\":"));
  return facts;
}

}  // namespace

std::string_view to_text(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}

std::string_view problem_slug(Outcome outcome) {
  switch (outcome) {
    case Outcome::sold_out:
      return "sold-out";
    case Outcome::not_started:
      return "not-started";
    case Outcome::ended:
      return "ended";
    case Outcome::paused:
      return "paused";
    default:
      return {};
  }
}

std::string_view to_text(ErrorKind kind) {
  return kErrorNames[static_cast<std::size_t>(kind)];
}

ReplyFacts read_reply(int status, std::string_view body) {
  switch (status) {
    case 200:
    case 201:
      return read_coupon(status, body);
    case 202:
      return answered(Outcome::accepted);
    case 401:
    case 403:
      return failed(Outcome::denied, ErrorKind::http_401_403);
    case 404:
      return failed(Outcome::not_found, ErrorKind::http_404);
    case 429:
      return failed(Outcome::limited, ErrorKind::http_429);
    case 503:
      return failed(Outcome::unavailable, ErrorKind::http_503);
    case 409:
    case 410: {
      const auto problem = problem_of(body);
      if (problem == "sold-out") return answered(Outcome::sold_out);
      if (problem == "ended") return answered(Outcome::ended);
      if (problem == "not-started") return answered(Outcome::not_started);
      if (problem == "paused") return answered(Outcome::paused);
      return failed(Outcome::unexpected, ErrorKind::http_4xx);
    }
    default:
      break;
  }
  if (status >= 200 && status < 300) return answered(Outcome::answered);
  if (status >= 500) return failed(Outcome::unexpected, ErrorKind::http_5xx);
  if (status >= 400) return failed(Outcome::unexpected, ErrorKind::http_4xx);
  return failed(Outcome::unexpected, ErrorKind::http_other);
}

std::optional<QueuedFacts> read_outcome(std::string_view body) {
  const auto state = quoted(value_of(body, "\"state\":"));
  if (state == "pending") return QueuedFacts{true, 0, {}};
  if (state == "issued") return QueuedFacts{false, 201, read_coupon(201, body)};
  if (state == "already_issued") return QueuedFacts{false, 200, read_coupon(200, body)};
  if (state == "sold_out") return QueuedFacts{false, 410, answered(Outcome::sold_out)};
  if (state == "ended") return QueuedFacts{false, 410, answered(Outcome::ended)};
  if (state == "not_started") return QueuedFacts{false, 409, answered(Outcome::not_started)};
  if (state == "paused") return QueuedFacts{false, 409, answered(Outcome::paused)};
  if (state == "unknown_campaign") return QueuedFacts{false, 404, read_reply(404, {})};
  if (state == "failed") return QueuedFacts{false, 503, read_reply(503, {})};
  return std::nullopt;
}

std::optional<std::uint32_t> retry_after_seconds(std::string_view header) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (error != std::errc{} || end != header.data() + header.size()) return std::nullopt;
  return std::min<std::uint32_t>(seconds, 3600);
}

}  // namespace doorbuster::loadlab
