#include "apps/doorbuster/log_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/sqlite_event_source.hpp"
#include "apps/doorbuster/error_exit.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster {
namespace {

struct Options {
  std::string data = "./doorbuster-data";
  std::string campaign;
};

const CampaignId& campaign_of(const Event& event) {
  static const CampaignId none{};
  if (const auto* coupon = std::get_if<CouponIssued>(&event)) return coupon->campaign;
  if (const auto* changed = std::get_if<CampaignChanged>(&event)) return changed->definition.id;
  return none;
}

Result<void> print(const Options& options) {
  CampaignId only;
  if (!options.campaign.empty()) {
    auto parsed = CampaignId::parse(options.campaign);
    if (!parsed) return parsed.error();
    only = *parsed;
  }
  std::string line;
  const auto read =
      sqlite::rebuild(sqlite::DataDirectory::log_path(options.data), [&](LogRecord&& record) -> Result<void> {
        if (!only.empty() && campaign_of(record.event) != only) return {};
        // The position in front of the event's own members.
        line = fmt::format("{{\"position\":{},", record.position);
        line.append(event::to_json(record.event), 1);
        line += '\n';
        if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
        return make_error(ErrorCode::unavailable, "cannot write to the standard output");
      });
  if (!read) return read.error();
  if (std::fflush(stdout) != 0)
    return make_error(ErrorCode::unavailable, "cannot write to the standard output");
  return {};
}

}  // namespace

void add_log_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("log", "Prints the embedded event log as lines of JSON");
  command
      ->add_option("--data", options->data,
                   "Data folder (log.db is only read, also while a system runs on it)")
      ->capture_default_str();
  command->add_option("--campaign", options->campaign, "Only the events of this campaign");
  command->footer(
      "A line is an event as Kafka has it in the full stack, and its position. The chain of checksums is\n"
      "checked on the way. Exit status: 0 all of it printed, 1 damaged (after what is before the place), or\n"
      "it cannot be read.");
  command->callback([options, &exit_code] {
    const auto printed = print(*options);
    exit_code = printed ? 0 : exit_with("log", printed.error());
  });
}

}  // namespace doorbuster
