// The page for people at `/`: is all well, who is registered, what changed last. One file, no script, renewed
// by the browser each five seconds.

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "proto/eureka/text.hpp"
#include "services/registry/answers.hpp"
#include "services/registry/registry_service.hpp"

namespace doorbuster::registry {

using leases::InstanceInfo;
using leases::InstanceStatus;

namespace {

constexpr std::size_t kMostRows = 1'000;  ///< of instances; a page of ten thousand helps nobody
constexpr std::size_t kMostChanges = 15;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="5"><title>Doorbuster registry</title><style>
:root{--ink:#1c2430;--soft:#5c6878;--line:#dde3ea;--back:#f6f8fa;--card:#fff;--good:#1a7f4b;--bad:#b42318;
--warn:#9a6200;--link:#1d5fbf}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9aa7b6;--line:#303a46;--back:#14181d;--card:#1b2128;
--good:#4cc38a;--bad:#ff7a6b;--warn:#f0b429;--link:#7fb2ff}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.35rem;margin:0 0 1rem}h2{font-size:1.05rem;margin:2rem 0 .6rem}a{color:var(--link)}
.numbers{display:flex;flex-wrap:wrap;gap:.75rem}.numbers div{background:var(--card);border:1px solid var(--line);
border-radius:.5rem;padding:.6rem .9rem;min-width:9.5rem}.numbers dt{color:var(--soft);font-size:.82rem}
.numbers dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}dl{margin:0}
.banner{border-left:.3rem solid var(--warn);background:var(--card);padding:.7rem 1rem;margin:0 0 1rem;
border-radius:.25rem}.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:.5rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.45rem .8rem;
border-top:1px solid var(--line);white-space:nowrap}thead th{border-top:0;color:var(--soft);font-weight:600;
font-size:.82rem}tbody th{font-weight:600;vertical-align:top}.UP,.ADDED{color:var(--good)}
.DOWN,.OUT_OF_SERVICE,.DELETED{color:var(--bad)}.STARTING,.UNKNOWN,.MODIFIED{color:var(--warn)}
.soft{color:var(--soft)}footer{color:var(--soft);font-size:.85rem;margin-top:2rem}
</style></head><body><main><h1>Doorbuster registry</h1>
)";

constexpr std::string_view kFoot = R"(<footer>Eureka clients use <code>/eureka/</code> here. Lists:
<a href="/eureka/apps">apps</a>, <a href="/eureka/apps/delta">delta</a>. Push:
<a href="/v1/registry/events">events</a>. <a href="/metrics">Metrics</a>.</footer></main></body></html>
)";

std::string escaped(std::string_view text) {
  std::string out;
  eureka::append_xml_text(out, text);
  return out;
}

/// A link only where a browser would go by HTTP: who registers must not make this page run a script.
std::string link(std::string_view url, std::string_view text) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return escaped(text);
  return fmt::format(R"(<a href="{}" rel="noreferrer">{}</a>)", escaped(url), escaped(text));
}

/// `3 s`, `12 min`, `5 h`, `9 d`.
std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  const auto seconds = std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 120 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / (24 * 3600));
}

void append_number(std::string& out, std::string_view name, std::string_view value) {
  out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

void append_instance(std::string& out, const InstanceInfo& info, std::string_view app_cell,
                     std::int64_t now_ms) {
  const auto& port = info.secure_port.enabled ? info.secure_port : info.port;
  out += fmt::format(
      "<tr>{}<td>{}</td><td>{}</td><td class=\"{}\">{}{}</td><td>{}</td><td>{} ago</td></tr>\n", app_cell,
      link(info.status_page_url, info.instance_id),
      link(info.home_page_url, fmt::format("{}:{}", info.host_name, port.number)), to_text(info.status),
      to_text(info.status), info.overridden_status == InstanceStatus::unknown ? "" : " (overridden)",
      escaped(info.vip_address), ago(info.lease.last_renewal_ms, now_ms));
}

}  // namespace

Answer RegistryService::status_page() {
  const auto time = now();
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const auto renewals = table_.renewals(time);
  std::string out(kHead);
  if (!renewals.expiry_enabled) {
    out +=
        "<p class=\"banner\"><strong>Self-preservation.</strong> Fewer heartbeats arrive than should. "
        "Instances that have fallen silent stay in the list, in case it is the network that is at fault; "
        "some of "
        "them may be gone.</p>\n";
  } else if (!options_.leases.self_preservation) {
    out +=
        "<p class=\"banner\">Self-preservation is switched off: a network that fails empties this "
        "list.</p>\n";
  }
  out += "<dl class=\"numbers\">\n";
  append_number(out, "Instances", fmt::format("{}", table_.size()));
  append_number(out, "Up", fmt::format("{}", table_.counts()[static_cast<std::size_t>(InstanceStatus::up)]));
  append_number(out, "Apps", fmt::format("{}", table_.apps().size()));
  append_number(out, "Renews (last min)", fmt::format("{}", renewals.last_minute));
  append_number(out, "Renews threshold", fmt::format("{}", renewals.threshold));
  append_number(out, "Lease expiration",
                renewals.expiry_enabled ? "enabled" : "<span class=\"DOWN\">held</span>");
  append_number(out, "Listeners", fmt::format("{}", hub_.stats().listeners));
  append_number(out, "Running for", ago(now_ms - (time - started_) / std::chrono::milliseconds(1), now_ms));
  out += "</dl>\n<h2>Instances</h2>\n";

  if (table_.size() == 0) {
    out += "<p class=\"soft\">Nobody is registered yet.</p>\n";
  } else {
    out +=
        "<div class=\"scroll\"><table><thead><tr><th>App</th><th>Instance</th><th>Address</th><th>Status</th>"
        "<th>VIP</th><th>Heartbeat</th></tr></thead><tbody>\n";
    std::size_t rows = 0;
    for (const auto& [name, app] : table_.apps()) {
      const auto shown = std::min(app.leases.size(), kMostRows - rows);
      std::vector<const InstanceInfo*> infos;
      for (std::size_t i = 0; i < shown; ++i) infos.push_back(app.leases[i]->info.get());
      std::sort(infos.begin(), infos.end(), [](auto* a, auto* b) { return a->instance_id < b->instance_id; });
      for (std::size_t i = 0; i < infos.size(); ++i) {
        const auto cell = i != 0 ? std::string()
                                 : fmt::format("<th rowspan=\"{}\">{} <span class=\"soft\">{}</span></th>",
                                               infos.size(), escaped(name), app.leases.size());
        append_instance(out, *infos[i], cell, now_ms);
      }
      rows += shown;
      if (rows == kMostRows) break;
    }
    out += "</tbody></table></div>\n";
    if (rows < table_.size()) {
      out += fmt::format("<p class=\"soft\">The first {} of {} instances.</p>\n", rows, table_.size());
    }
  }

  const auto& changes = table_.recent().all();
  if (!changes.empty()) {
    out += "<h2>Last changes</h2>\n<div class=\"scroll\"><table><tbody>\n";
    std::size_t left = kMostChanges;
    for (auto change = changes.rbegin(); change != changes.rend() && left > 0; ++change, --left) {
      const auto& info = *change->instance;
      out += fmt::format(
          "<tr><td>{} ago</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td><td class=\"{}\">{}</td></tr>\n",
          ago(info.last_updated_ms, now_ms), to_text(*info.action), to_text(*info.action), escaped(info.app),
          escaped(info.instance_id), to_text(info.status), to_text(info.status));
    }
    out += "</tbody></table></div>\n";
  }
  out += kFoot;
  auto answer = with_body(200, "text/html; charset=utf-8", std::move(out));
  answer.head.headers.emplace_back("Content-Security-Policy",
                                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  answer.head.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

}  // namespace doorbuster::registry
