#include "apps/doorbuster/recover_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "adapters/kafka/kafka_log_reader.hpp"
#include "adapters/mariadb/mariadb_recovery.hpp"
#include "adapters/mariadb/schema.hpp"
#include "adapters/redis/rebuildable_ledger.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "apps/doorbuster/settings_options.hpp"
#include "apps/doorbuster/stack_settings.hpp"
#include "base/log.hpp"
#include "services/recovery/recovery.hpp"

namespace doorbuster {
namespace {

/// One line that is written over on a terminal; elsewhere a line for each step.
class ProgressLine {
 public:
  void show(const recovery::Progress& progress) {
    if (!terminal_ && progress.count > 0) return;
    const auto text =
        fmt::format("campaign {}: {}{}", progress.campaign.text(), recovery::to_text(progress.step),
                    progress.count > 0 ? fmt::format(", {} coupons", progress.count) : "");
    if (terminal_) {
      fmt::print(stderr, "\r\033[K{}", text);
      std::fflush(stderr);
    } else {
      fmt::print(stderr, "{}\n", text);
    }
  }
  void end() {
    if (terminal_) fmt::print(stderr, "\r\033[K");
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
};

Result<void> recover(const config::Settings& settings, const std::string& campaign) {
  if (const auto level = set_log_level(settings.text("log.level")); !level) return level.error();
  const auto database = database_options(settings);
  if (!database) return database.error();
  const auto redis = redis_options(settings);
  if (!redis) return redis.error();
  if (const auto prepared = mariadb::prepare_database(*database); !prepared) return prepared;
  const auto options = kafka::kafka_options(settings);
  const auto reader = kafka::KafkaLogReader::open(options);
  if (!reader) return reader.error();
  mariadb::MariaDbRecoveryStore store(*database, options.topic);
  RedisRebuildableLedger ledger(*redis);
  // The first step of a recovery closes the campaign: a mistyped password must not do that.
  if (const auto connected = ledger.connect(); !connected) return connected;
  BootClock clock;
  ProgressLine line;
  recovery::Options how;
  how.progress = [&line](const recovery::Progress& progress) { line.show(progress); };
  recovery::Recovery work({store, **reader, ledger}, clock, how);
  const auto reports =
      campaign.empty() ? work.recover_all() : [&]() -> Result<std::vector<recovery::Report>> {
    const auto id = CampaignId::parse(campaign);
    if (!id) return make_error(ErrorCode::invalid, "--campaign: " + id.error().detail);
    return work.recover(*id);
  }();
  line.end();
  if (!reports) return reports.error();
  for (const auto& report : *reports) fmt::print("{}\n", recovery::to_text(report));
  if (reports->empty()) fmt::print("there is no campaign\n");
  return {};
}

}  // namespace

void add_recover_command(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("recover", "full stack: makes a ledger in Redis say what database and log say");
  auto options = std::make_shared<SettingsOptions>();
  options->add_to(*command, "recover");
  auto campaign = std::make_shared<std::string>();
  auto all = std::make_shared<bool>(false);
  auto* one = command->add_option("--campaign", *campaign, "this one");
  auto* every = command->add_flag("--all", *all, "every campaign");
  one->excludes(every);
  command->callback([options, campaign, all, &exit_code] {
    if (campaign->empty() && !*all) {
      exit_code = exit_with("recover", make_error(ErrorCode::invalid, "give --campaign ID, or --all"));
      return;
    }
    const auto settings = options->load();
    if (!settings) {
      exit_code = exit_with("recover", settings.error());
      return;
    }
    const auto done = recover(*settings, *campaign);
    exit_code = done ? 0 : exit_with("recover", done.error());
  });
}

}  // namespace doorbuster
