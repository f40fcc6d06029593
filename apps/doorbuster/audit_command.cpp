#include "apps/doorbuster/audit_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "apps/doorbuster/full_audit.hpp"
#include "apps/doorbuster/repository_rows.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "net/http_client.hpp"
#include "services/audit/ack_file.hpp"
#include "services/audit/audit.hpp"
#include "services/audit/ledger_pages.hpp"

namespace doorbuster {
namespace {

constexpr int kBad = 1;
constexpr int kBroken = 3;

struct Options {
  std::string campaign;
  std::string stack = "embedded";
  SettingsOptions settings;
  std::string data = "./doorbuster-data";
  std::string url;
  std::string token;
  std::vector<std::string> acks;
  std::string wait = "10s";
  std::string json;
  bool fairness = false;
};

/// A GET that turns every answer but 200 into an error.
Result<std::string> get(net::HttpClient& client, const std::string& target) {
  auto answer = client.exchange("GET", target);
  if (!answer) return answer.error();
  if (answer->status == 200) return std::move(answer->body);
  const auto code = answer->status == 404 ? ErrorCode::not_found : ErrorCode::malformed;
  return make_error(
      code, fmt::format("GET {} was answered {}: {}", target, answer->status, answer->body.substr(0, 200)));
}

/// The ledger of the api at `--url`; nullptr when nothing listens there, so that the log stands for it.
Result<std::unique_ptr<audit::HolderSource>> open_ledger(const Options& options, const CampaignId& campaign) {
  if (options.url.empty()) return std::unique_ptr<audit::HolderSource>();
  auto url = net::parse_url(options.url);
  if (!url) return url.error();
  auto client = std::make_shared<net::HttpClient>(*url, options.token);
  auto alive = client->exchange("GET", "/healthz");
  if (!alive && alive.error().code == ErrorCode::unavailable) {
    std::fprintf(stderr, "doorbuster audit: no api at %s (%s): the ledger is rebuilt from the log\n",
                 options.url.c_str(), alive.error().detail.c_str());
    return std::unique_ptr<audit::HolderSource>();
  }
  if (!alive) return alive.error();
  return std::unique_ptr<audit::HolderSource>(std::make_unique<audit::LedgerPages>(
      campaign, [client](const std::string& target) { return get(*client, target); }));
}

/// Log and rows, of the files of an embedded system or of the full stack.
struct Sources {
  std::unique_ptr<sqlite::SqliteEventSource> log_file;
  std::unique_ptr<RepositoryRows> row_file;
  std::unique_ptr<FullAudit> full;
  EventSource* log = nullptr;
  audit::RowSource* rows = nullptr;
};

Result<Sources> open_sources(const Options& options, const CampaignId& campaign) {
  Sources sources;
  if (options.stack == "full") {
    const auto settings = options.settings.load();
    if (!settings) return settings.error();
    auto full = FullAudit::open(*settings, campaign);
    if (!full) return full.error();
    sources.full = std::move(*full);
    sources.log = &sources.full->log();
    sources.rows = &sources.full->rows();
    return sources;
  }
  auto log = sqlite::SqliteEventSource::open(sqlite::DataDirectory::log_path(options.data));
  if (!log) return log.error();
  auto rows = RepositoryRows::open(sqlite::DataDirectory::repository_path(options.data), campaign);
  if (!rows) return rows.error();
  sources.log_file = std::move(*log);
  sources.row_file = std::move(*rows);
  sources.log = sources.log_file.get();
  sources.rows = sources.row_file.get();
  return sources;
}

Result<audit::AuditReport> run(const Options& options) {
  const auto campaign = CampaignId::parse(options.campaign);
  if (!campaign) return campaign.error();
  const auto wait = parse_duration(options.wait);
  if (!wait) return make_error(ErrorCode::invalid, "--wait: " + wait.error().detail, "wait");

  auto sources = open_sources(options, *campaign);
  if (!sources) return sources.error();
  auto ledger = open_ledger(options, *campaign);
  if (!ledger) return ledger.error();
  std::vector<audit::AckFile> acks;
  for (const auto& path : options.acks) {
    auto file = audit::AckFile::open(path);
    if (!file) return file.error();
    acks.push_back(std::move(*file));
  }

  audit::AuditInput input;
  input.log = sources->log;
  input.rows = sources->rows;
  input.ledger = ledger->get();
  for (auto& file : acks) input.acknowledgements.push_back(&file);
  audit::AuditOptions how;
  how.campaign = *campaign;
  how.wait = *wait;
  how.fairness = options.fairness;
  how.pause = [](Duration time) { std::this_thread::sleep_for(time); };
  return run_audit(input, std::move(how));
}

int complain(const std::string& detail) {
  std::fprintf(stderr, "doorbuster audit: %s\n", detail.c_str());
  return kBad;
}

int audit_main(const Options& options) {
  const auto report = run(options);
  if (!report) return complain(report.error().detail);
  std::fputs(to_text(*report).c_str(), stdout);
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << to_json(*report) << '\n';
    file.close();
    if (!file) return complain("cannot write " + options.json);
  }
  return report->good() ? 0 : kBroken;
}

}  // namespace

void add_audit_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("audit", "Checks the promises over ledger, log, repository and acknowledgements");
  command->add_option("--campaign", options->campaign, "Id of the campaign")->required();
  command
      ->add_option("--stack", options->stack,
                   "embedded: the files in --data; full: Kafka and MariaDB, as --config or flags say")
      ->check(CLI::IsMember({"embedded", "full"}))
      ->capture_default_str();
  options->settings.add_to(*command, "audit");
  command->add_option("--data", options->data, "Data folder (log.db and repo.db are only read)")
      ->capture_default_str();
  command->add_option("--url", options->url,
                      "A running api, whose ledger is compared; without it the log stands for the ledger");
  command->add_option("--token", options->token, "Token with the role admin, when the api asks for one");
  command->add_option("--acks", options->acks, "Files of `doorbuster bench --acks`");
  command->add_option("--wait", options->wait, "Longest wait for the worker")->capture_default_str();
  command->add_flag("--fairness", options->fairness,
                    "Measures numbers against the order of arrival (needs --acks)");
  command->add_option("--json", options->json, "File for the report as JSON");
  command->footer("Exit status: 0 good, 3 a promise is broken, 1 usage or something cannot be read.");
  command->callback([options, &exit_code] { exit_code = audit_main(*options); });
}

}  // namespace doorbuster
