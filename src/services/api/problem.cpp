#include "services/api/problem.hpp"

#include <array>

#include "services/api/json_text.hpp"

namespace doorbuster::api {
namespace {

constexpr std::string_view kRetryAfterSeconds = "1";

constexpr std::array kTraits = {
    OutcomeTraits{Outcome::issued, 201, "", "", "", Retry::never},
    OutcomeTraits{Outcome::already_issued, 200, "", "", "", Retry::never},
    OutcomeTraits{Outcome::sold_out, 410, "sold-out", "Sold out",
                  "All coupons of this campaign have been given out.", Retry::never},
    OutcomeTraits{Outcome::not_started, 409, "not-started", "Not started yet",
                  "This campaign has not started.", Retry::never},
    OutcomeTraits{Outcome::paused, 409, "paused", "Paused", "This campaign is paused.", Retry::never},
    OutcomeTraits{Outcome::ended, 410, "ended", "Ended", "This campaign has ended.", Retry::never},
    OutcomeTraits{Outcome::unknown_campaign, 404, "not-found", "There is no such thing",
                  "There is no campaign with this id.", Retry::never},
    OutcomeTraits{Outcome::held, 503, "not-ready", "Not known yet",
                  "The campaign is being changed at this moment; ask again.", Retry::later},
    OutcomeTraits{Outcome::closed, 503, "closed", "Closed until its state has been read back",
                  "The campaign is closed until its ledger has been read back; ask again.", Retry::later},
    // IssueService asks on; whoever does not must not say "ended" to a holder.
    OutcomeTraits{Outcome::unloaded, 503, "not-ready", "Not known yet",
                  "This campaign has ended; its coupons are being looked up, ask again.", Retry::later},
};

http::Response render(int status, std::string_view slug, std::string_view title, std::string_view detail,
                      std::string_view field, Retry retry) {
  http::Response response;
  response.status = status;
  response.content_type = kProblemContentType;
  std::string& body = response.body;
  body.append(R"({"type":"/problems/)").append(slug).append(R"(","title":)");
  append_json_string(body, title);
  body += R"(,"status":)";
  append_json_number(body, static_cast<unsigned>(status));
  body += R"(,"detail":)";
  append_json_string(body, detail);
  if (!field.empty()) {
    body += R"(,"field":)";
    append_json_string(body, field);
  }
  body += '}';
  if (retry == Retry::later) response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

const OutcomeTraits& traits(Outcome outcome) {
  const auto& found = kTraits[static_cast<std::size_t>(outcome)];
  DOORBUSTER_ASSERT(found.outcome == outcome);
  return found;
}

std::span<const OutcomeTraits> all_outcome_traits() {
  return kTraits;
}

http::Response problem(const Error& error) {
  const auto& row = traits(error.code);
  return render(row.http_status, row.slug, row.title, error.detail, error.field, row.retry);
}

const http::Response& problem(Outcome outcome) {
  static const auto rendered = [] {
    std::array<http::Response, kTraits.size()> all;
    for (std::size_t i = 0; i < kTraits.size(); ++i) {
      const auto& row = kTraits[i];
      all[i] = render(row.http_status, row.slug, row.title, row.detail, {}, row.retry);
    }
    return all;
  }();
  DOORBUSTER_ASSERT(!traits(outcome).slug.empty());
  return rendered[static_cast<std::size_t>(outcome)];
}

}  // namespace doorbuster::api
