#include "apps/doorbuster/campaign_command.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>

#include "apps/doorbuster/error_exit.hpp"
#include "base/ids.hpp"
#include "net/http_client.hpp"

namespace doorbuster {
namespace {

namespace json = boost::json;

/// What the subcommands share. Lives as long as the CLI::App.
struct Options {
  std::string url = "http://127.0.0.1:8080";
  std::string token;
  bool as_json = false;
  std::string id;
  std::string name;
  std::uint64_t limit = 0;
  std::string starts_at;
  std::string ends_at;
  std::string state;
  std::string strategy;
  std::string durability;
};

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

constexpr auto kRow = "{:<24} {:>10} {:>10} {:>10}  {:<10} {:<11} {:<10} {:<28} {:<28}\n";

void print_header() {
  fmt::print(kRow, "id", "limit", "issued", "remaining", "state", "strategy", "durability", "starts_at",
             "ends_at");
}

void print_row(const json::object& campaign) {
  fmt::print(kRow, text_of(campaign, "id"), text_of(campaign, "limit"), text_of(campaign, "issued"),
             text_of(campaign, "remaining"), text_of(campaign, "state"), text_of(campaign, "strategy"),
             text_of(campaign, "durability"), text_of(campaign, "starts_at"), text_of(campaign, "ends_at"));
}

void print_reply(const json::value& reply) {
  const auto* object = reply.if_object();
  if (object == nullptr) return;
  print_header();
  if (const auto* list = object->if_contains("campaigns"); list != nullptr && list->is_array()) {
    for (const auto& campaign : list->get_array()) {
      if (campaign.is_object()) print_row(campaign.get_object());
    }
  } else {
    print_row(*object);
  }
}

/// Asks, prints, and says how it went.
int ask(const Options& options, std::string_view method, const std::string& target,
        const json::object* body = nullptr) {
  const auto url = net::parse_url(options.url);
  if (!url) return exit_with("campaign", url.error());
  const auto answer =
      net::HttpClient(*url, options.token).exchange(method, target, body ? json::serialize(*body) : "");
  if (!answer) return exit_with("campaign", answer.error());
  boost::system::error_code error;
  const auto reply = json::parse(answer->body, error);
  if (answer->status >= 300) {
    const auto* problem = error ? nullptr : reply.if_object();
    return exit_with("campaign",
                     make_error(ErrorCode::invalid,
                                problem != nullptr ? fmt::format("{} ({}): {}", text_of(*problem, "title"),
                                                                 answer->status, text_of(*problem, "detail"))
                                                   : fmt::format("answered {}", answer->status)));
  }
  if (options.as_json) {
    fmt::print("{}\n", answer->body);
  } else if (!error) {
    print_reply(reply);
  }
  return 0;
}

/// The id goes into a path: only what an id may be made of.
std::optional<std::string> path_of(const Options& options, int& exit_code) {
  const auto id = CampaignId::parse(options.id);
  if (!id) {
    exit_code = exit_with("campaign", id.error());
    return std::nullopt;
  }
  return "/v1/campaigns/" + options.id;
}

void add_change_options(CLI::App& command, const std::shared_ptr<Options>& options) {
  command.add_option("--name", options->name, "what people call it");
  command.add_option("--starts-at", options->starts_at, "RFC 3339: no coupon before");
  command.add_option("--ends-at", options->ends_at, "RFC 3339: no coupon from then on");
}

void add_given(const CLI::App& command, const Options& options, json::object& body) {
  if (command.count("--name") > 0) body["name"] = options.name;
  if (command.count("--limit") > 0) body["limit"] = options.limit;
  if (command.count("--starts-at") > 0) body["starts_at"] = options.starts_at;
  if (command.count("--ends-at") > 0) body["ends_at"] = options.ends_at;
}

}  // namespace

void add_campaign_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("campaign", "create, list, show and change campaigns over HTTP");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  command->add_option("--url", options->url, "of an api or gateway")->capture_default_str();
  command->add_option("--token", options->token, "bearer token with role admin")->envname("DOORBUSTER_TOKEN");
  command->add_flag("--json", options->as_json, "print the reply as it came");

  auto* create = command->add_subcommand("create", "create a campaign");
  create->add_option("id", options->id, "a-z, 0-9 and '-'")->required();
  create->add_option("--limit", options->limit, "how many coupons")->required();
  create->add_option("--strategy", options->strategy,
                     "how it decides, for good: atomic (the default); set-incr, async-queue, lock, fair-lock "
                     "or db-lock with the full stack (docs/strategies.md)");
  create->add_option("--durability", options->durability,
                     "what must hold before the answer, for good: log (the default), or ledger with the full "
                     "stack");
  add_change_options(*create, options);
  create->callback([=, &exit_code] {
    json::object body{{"id", options->id}, {"name", options->id}};
    add_given(*create, *options, body);
    // The server knows which there are and which of them its stack can keep.
    if (create->count("--strategy") > 0) body["strategy"] = options->strategy;
    if (create->count("--durability") > 0) body["durability"] = options->durability;
    exit_code = ask(*options, "POST", "/v1/campaigns", &body);
  });

  command->add_subcommand("list", "all campaigns")->callback([=, &exit_code] {
    exit_code = ask(*options, "GET", "/v1/campaigns");
  });

  auto* show = command->add_subcommand("show", "one campaign");
  show->add_option("id", options->id)->required();
  show->callback([=, &exit_code] {
    if (const auto path = path_of(*options, exit_code)) exit_code = ask(*options, "GET", *path);
  });

  auto* set = command->add_subcommand("set", "change a campaign");
  set->add_option("id", options->id)->required();
  set->add_option("--limit", options->limit, "never below what is issued");
  set->add_option("--state", options->state, "open, paused or ended (for good)");
  add_change_options(*set, options);
  set->callback([=, &exit_code] {
    json::object body;
    add_given(*set, *options, body);
    if (set->count("--state") > 0) body["state"] = options->state;
    if (const auto path = path_of(*options, exit_code)) exit_code = ask(*options, "PATCH", *path, &body);
  });

  auto* close = command->add_subcommand("close", "end a campaign for good");
  close->add_option("id", options->id)->required();
  close->callback([=, &exit_code] {
    const json::object body{{"state", "ended"}};
    if (const auto path = path_of(*options, exit_code)) exit_code = ask(*options, "PATCH", *path, &body);
  });
  for (auto* one : command->get_subcommands([](CLI::App*) { return true; })) one->fallthrough();
}

}  // namespace doorbuster
