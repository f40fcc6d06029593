#include "apps/doorbuster/campaign_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "net/http_client.hpp"

namespace doorbuster {
namespace {

namespace json = boost::json;

struct Options {
  std::string url = "http://127.0.0.1:8080";
  std::string token;
  bool as_json = false;
  std::string id;
  std::optional<std::string> name;
  std::optional<std::uint64_t> limit;
  std::optional<std::string> starts_at;
  std::optional<std::string> ends_at;
  std::optional<std::string> state;
};

int complain(const std::string& detail) {
  fmt::print(stderr, "doorbuster campaign: {}\n", detail);
  return 1;
}

/// What a problem+json says, else the body itself.
std::string reason(const net::ClientResponse& answer) {
  boost::system::error_code error;
  const auto body = json::parse(answer.body, error);
  if (!error && body.is_object()) {
    if (const auto* detail = body.as_object().if_contains("detail");
        detail != nullptr && detail->is_string()) {
      return fmt::format("{} (status {})", std::string_view(detail->as_string()), answer.status);
    }
  }
  return fmt::format("the server answered {}: {}", answer.status, answer.body.substr(0, 200));
}

Result<json::value> ask(const Options& options, std::string_view method, const std::string& target,
                        const std::string& body = {}) {
  const auto url = net::parse_url(options.url);
  if (!url) return make_error(ErrorCode::invalid, "--url: " + url.error().detail);
  net::HttpClient client(*url, options.token);
  const auto answer = client.exchange(method, target, body);
  if (!answer) return answer.error();
  if (answer->status < 200 || answer->status > 299) return make_error(ErrorCode::invalid, reason(*answer));
  boost::system::error_code error;
  auto value = json::parse(answer->body, error);
  if (error) return make_error(ErrorCode::malformed, "the server's answer is no JSON");
  return value;
}

/// A member as a person reads it.
std::string text_of(const json::value& campaign, std::string_view name) {
  const auto* object = campaign.if_object();
  const auto* value = object == nullptr ? nullptr : object->if_contains(name);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->as_string());
  return json::serialize(*value);
}

constexpr std::array<std::string_view, 8> kColumns = {"id",        "name",  "limit",     "issued",
                                                      "remaining", "state", "starts_at", "ends_at"};

void print_table(const json::array& campaigns) {
  std::vector<std::array<std::string, kColumns.size()>> rows(1);
  std::copy(kColumns.begin(), kColumns.end(), rows[0].begin());
  for (const auto& campaign : campaigns) {
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < kColumns.size(); ++i) row[i] = text_of(campaign, kColumns[i]);
  }
  std::array<std::size_t, kColumns.size()> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool number = i >= 2 && i <= 4;
      line +=
          number ? fmt::format("{:>{}}  ", row[i], widths[i]) : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

int print_one(const Options& options, const Result<json::value>& campaign) {
  if (!campaign) return complain(campaign.error().detail);
  if (options.as_json) {
    fmt::print("{}\n", json::serialize(*campaign));
    return 0;
  }
  for (const auto column : kColumns) fmt::print("{:<10} {}\n", column, text_of(*campaign, column));
  return 0;
}

/// The list is an array, or an object that has it as `campaigns`.
const json::array* list_in(const json::value& answer) {
  if (const auto* array = answer.if_array()) return array;
  const auto* object = answer.if_object();
  const auto* member = object == nullptr ? nullptr : object->if_contains("campaigns");
  return member == nullptr ? nullptr : member->if_array();
}

int list(const Options& options) {
  const auto answer = ask(options, "GET", "/v1/campaigns");
  if (!answer) return complain(answer.error().detail);
  if (options.as_json) {
    fmt::print("{}\n", json::serialize(*answer));
    return 0;
  }
  const auto* campaigns = list_in(*answer);
  if (campaigns == nullptr) return complain("the server's answer is no list of campaigns");
  print_table(*campaigns);
  return 0;
}

/// The path of a campaign, once its id is known to be one: it is put into a URL.
Result<std::string> path_of(const Options& options) {
  const auto id = CampaignId::parse(options.id);
  if (!id) return id.error();
  return "/v1/campaigns/" + options.id;
}

/// An empty time takes the bound away.
void put_time(json::object& body, std::string_view name, const std::optional<std::string>& time) {
  if (!time) return;
  if (time->empty()) {
    body[name] = nullptr;
  } else {
    body[name] = *time;
  }
}

json::object body_of(const Options& options) {
  json::object body;
  if (options.name) body["name"] = *options.name;
  if (options.limit) body["limit"] = *options.limit;
  if (options.state) body["state"] = *options.state;
  put_time(body, "starts_at", options.starts_at);
  put_time(body, "ends_at", options.ends_at);
  return body;
}

int create(const Options& options) {
  auto body = body_of(options);
  body["id"] = options.id;
  if (!options.name) body["name"] = options.id;
  return print_one(options, ask(options, "POST", "/v1/campaigns", json::serialize(body)));
}

int show(const Options& options) {
  const auto path = path_of(options);
  if (!path) return complain(path.error().detail);
  return print_one(options, ask(options, "GET", *path));
}

int change(const Options& options) {
  const auto path = path_of(options);
  if (!path) return complain(path.error().detail);
  const auto body = body_of(options);
  if (body.empty())
    return complain("nothing to set: give --limit, --name, --state, --starts-at or --ends-at");
  return print_one(options, ask(options, "PATCH", *path, json::serialize(body)));
}

int close(Options options) {
  options.state = "ended";
  return change(options);
}

using Action = int (*)(const Options&);

CLI::App* add(CLI::App& parent, const std::shared_ptr<Options>& options, int& exit_code, const char* name,
              const char* help, Action action) {
  auto* command = parent.add_subcommand(name, help);
  command->add_option("--url", options->url, "The api")->capture_default_str();
  command->add_option("--token", options->token, "Token with the role admin, when the api asks for one");
  command->add_flag("--json", options->as_json, "The server's answer as it is");
  command->callback([options, &exit_code, action] { exit_code = action(*options); });
  return command;
}

void add_fields(CLI::App& command, const std::shared_ptr<Options>& options, bool limit_required) {
  auto* limit = command.add_option("--limit", options->limit, "How many coupons there are");
  if (limit_required) limit->required();
  command.add_option("--name", options->name, "For people; up to 200 bytes");
  command.add_option("--starts-at", options->starts_at, "First moment, RFC 3339: 2026-11-25T09:00:00Z");
  command.add_option("--ends-at", options->ends_at, "First moment at which none is issued any more");
}

}  // namespace

void add_campaign_command(CLI::App& app, int& exit_code) {
  auto* campaign =
      app.add_subcommand("campaign", "Creates, lists, shows, changes and closes campaigns, over HTTP");
  campaign->require_subcommand(1);
  auto options = std::make_shared<Options>();
  const auto with_id = [&](CLI::App* command) {
    command->add_option("id", options->id, "Id of the campaign: a-z, 0-9 and -")->required();
    return command;
  };
  add_fields(*with_id(add(*campaign, options, exit_code, "create", "Creates a campaign", create)), options,
             true);
  add(*campaign, options, exit_code, "list", "All campaigns", list);
  with_id(add(*campaign, options, exit_code, "show", "One campaign", show));
  auto* set =
      with_id(add(*campaign, options, exit_code, "set", "Changes what is given, leaves the rest", change));
  add_fields(*set, options, false);
  set->add_option("--state", options->state, "open, paused or ended");
  with_id(add(*campaign, options, exit_code, "close", "Ends a campaign for ever",
              [](const Options& chosen) { return close(chosen); }));
}

}  // namespace doorbuster
