#include "loadlab/options.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/ids.hpp"
#include "base/random.hpp"

namespace doorbuster::loadlab {
namespace {

constexpr std::uint64_t kMostVusers = 100'000;
constexpr std::uint64_t kMostThreads = 64;
constexpr Duration kLongestRun = std::chrono::hours(24);
/// Up to here an id and everything counted up from it fits eight bytes with room to spare.
constexpr std::uint64_t kMostFirstUser = 4'000'000'000'000'000'000;

Error bad(std::string_view flag, std::string detail) {
  return make_error(ErrorCode::invalid, std::move(detail), std::string(flag));
}

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

Result<Duration> read_duration(std::string_view flag, std::string_view text, bool zero_allowed) {
  const auto value = parse_duration(text);
  if (!value || *value < Duration::zero() || (!zero_allowed && *value == Duration::zero())) {
    return bad(flag, fmt::format("{} is '{}': give a time such as 500ms, 30s or 5m", flag, text));
  }
  if (*value > kLongestRun) return bad(flag, fmt::format("{} is '{}': at most 24h", flag, text));
  return *value;
}

struct FigureName {
  std::string_view name;
  Figure figure;
};
constexpr std::array kFigures = {
    FigureName{"tps", Figure::tps},       FigureName{"peak_tps", Figure::peak_tps},
    FigureName{"mean", Figure::mean},     FigureName{"p50", Figure::p50},
    FigureName{"p90", Figure::p90},       FigureName{"p99", Figure::p99},
    FigureName{"p999", Figure::p999},     FigureName{"max", Figure::max},
    FigureName{"errors", Figure::errors}, FigureName{"issued", Figure::issued}};

bool is_time(Figure figure) {
  return figure >= Figure::mean && figure <= Figure::max;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Nine digits are left for the users of this run, so two runs do not meet.
std::uint64_t random_first_user() {
  SystemRandom random;
  std::array<std::uint8_t, 4> bytes{};
  random.fill(bytes);
  std::uint64_t run = 0;
  for (const auto byte : bytes) run = run << 8 | byte;
  return (1'000'000'000 + run % 1'000'000'000) * 1'000'000'000 + 1;
}

}  // namespace

Result<Target> Target::parse(std::string_view url) {
  const auto wrong = [&](std::string_view why) {
    return bad("URL", fmt::format("'{}' is not a target: {}; write http://127.0.0.1:8080", url, why));
  };
  std::string_view rest = url;
  if (rest.starts_with("https://")) return wrong("https is not spoken here");
  if (!rest.starts_with("http://")) return wrong("it does not start with http://");
  rest.remove_prefix(7);
  const auto slash = rest.find_first_of("/?#");
  Target target;
  if (slash != rest.npos) {
    if (rest[slash] != '/') return wrong("after the host only a path may follow");
    target.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (target.path == "/") target.path.clear();
  for (const char c : url) {
    if (c <= ' ' || c > '~' || c == '#') return wrong("it has a character that must be escaped");
  }
  if (rest.find('@') != rest.npos) return wrong("a user name is not supported");
  target.authority = rest;
  std::string_view port;
  if (rest.starts_with("[")) {
    const auto close = rest.find(']');
    if (close == rest.npos) return wrong("'[' is never closed");
    target.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("after ']' a port must follow");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return wrong("the port is empty");
  } else {
    const auto colon = rest.find(':');
    target.host = rest.substr(0, colon);
    if (colon != rest.npos) {
      port = rest.substr(colon + 1);
      if (port.empty()) return wrong("the port is empty");
    }
  }
  if (target.host.empty()) return wrong("the host is missing");
  if (!port.empty() && (!read_number(port, target.port) || target.port == 0)) {
    return wrong("the port is not a number from 1 to 65535");
  }
  return target;
}

Result<Threshold> Threshold::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return bad("--threshold",
               fmt::format("'{}' is not a threshold: {}; write p99<50ms, tps>=1000 or errors<1%", text, why));
  };
  const auto at = text.find_first_of("<>");
  if (at == text.npos) return wrong("it has no <, <=, > or >=");
  Threshold threshold;
  threshold.text = text;
  const auto name = trimmed(text.substr(0, at));
  const FigureName* found = nullptr;
  for (const auto& figure : kFigures) {
    if (figure.name == name) found = &figure;
  }
  if (found == nullptr) {
    return wrong("the figures are tps, peak_tps, mean, p50, p90, p99, p999, max, errors, issued");
  }
  threshold.figure = found->figure;
  const bool equal = at + 1 < text.size() && text[at + 1] == '=';
  threshold.sign = text[at] == '<' ? (equal ? Sign::less_equal : Sign::less)
                                   : (equal ? Sign::greater_equal : Sign::greater);
  auto value = trimmed(text.substr(at + (equal ? 2 : 1)));
  if (is_time(threshold.figure)) {
    const auto duration = parse_duration(value);
    if (!duration || *duration < Duration::zero()) return wrong("this figure is compared with a time");
    threshold.limit = static_cast<double>(duration->count()) / 1000.0;
    return threshold;
  }
  if (threshold.figure == Figure::errors && value.ends_with('%')) {
    threshold.figure = Figure::error_rate;
    value.remove_suffix(1);
  }
  if (!read_number(value, threshold.limit) || !std::isfinite(threshold.limit)) {
    return wrong("this figure is compared with a number");
  }
  return threshold;
}

bool Threshold::met(double value) const {
  switch (sign) {
    case Sign::less:
      return value < limit;
    case Sign::less_equal:
      return value <= limit;
    case Sign::greater:
      return value > limit;
    case Sign::greater_equal:
      return value >= limit;
  }
  return false;
}

namespace {

Result<void> read_load(const OptionTexts& texts, Options& options) {
  if (texts.vusers == 0 || texts.vusers > kMostVusers) {
    return bad("--vusers", fmt::format("--vusers is {}: give 1 to {}", texts.vusers, kMostVusers));
  }
  options.vusers = static_cast<std::uint32_t>(texts.vusers);
  if (texts.threads == 0 || texts.threads > kMostThreads || texts.threads > texts.vusers) {
    return bad("--threads", fmt::format("--threads is {}: give 1 to {}, and no more than --vusers",
                                        texts.threads, kMostThreads));
  }
  options.threads = static_cast<std::uint32_t>(texts.threads);
  if (texts.duration.empty() == (texts.requests == 0)) {
    return bad("--duration", "give either --duration T or --requests N (at least 1)");
  }
  if (texts.requests != 0) options.requests = texts.requests;
  if (!texts.duration.empty()) {
    const auto duration = read_duration("--duration", texts.duration, false);
    if (!duration) return duration.error();
    options.duration = *duration;
  }
  if (!std::isfinite(texts.rate) || texts.rate < 0 || texts.rate > 10'000'000) {
    return bad("--rate", fmt::format("--rate is {}: give requests a second, above 0", texts.rate));
  }
  options.rate = texts.rate;
  const std::array<std::pair<std::string_view, std::pair<const std::string*, Duration*>>, 2> times = {
      {{"--ramp-up", {&texts.ramp_up, &options.ramp_up}}, {"--warm-up", {&texts.warm_up, &options.warm_up}}}};
  for (const auto& [flag, place] : times) {
    if (place.first->empty()) continue;
    const auto value = read_duration(flag, *place.first, true);
    if (!value) return value.error();
    *place.second = *value;
  }
  const auto timeout = read_duration("--timeout", texts.timeout, false);
  if (!timeout) return timeout.error();
  options.timeout = *timeout;
  return {};
}

Result<void> read_users(const OptionTexts& texts, Options& options) {
  const std::string_view users = texts.users;
  if (users.starts_with("repeat:")) {
    if (!read_number(users.substr(7), options.asks_per_user) || options.asks_per_user == 0) {
      return bad("--users", fmt::format("--users is '{}': after repeat: comes a number from 1", users));
    }
  } else if (users != "unique") {
    return bad("--users", fmt::format("--users is '{}': write unique or repeat:K", users));
  }
  if (texts.first_user > kMostFirstUser) {
    return bad("--first-user",
               fmt::format("--first-user is {}: at most {}", texts.first_user, kMostFirstUser));
  }
  options.first_user = texts.first_user == 0 ? random_first_user() : texts.first_user;
  return {};
}

}  // namespace

Result<Options> parse_options(const OptionTexts& texts) {
  Options options;
  std::string_view urls = texts.urls;
  while (true) {
    const auto comma = urls.find(',');
    auto target = Target::parse(trimmed(urls.substr(0, comma)));
    if (!target) return target.error();
    options.targets.push_back(std::move(*target));
    if (comma == urls.npos) break;
    urls.remove_prefix(comma + 1);
  }
  if (!CampaignId::parse(texts.campaign)) {
    return bad("--campaign", fmt::format("--campaign is '{}': 1 to 64 of a-z, 0-9 and '-'", texts.campaign));
  }
  options.campaign = texts.campaign;
  if (auto load = read_load(texts, options); !load) return load.error();
  if (auto users = read_users(texts, options); !users) return users.error();
  if (texts.connections == "per-request") {
    options.connections = Connections::per_request;
  } else if (texts.connections != "keep-alive") {
    return bad("--connections",
               fmt::format("--connections is '{}': write keep-alive or per-request", texts.connections));
  }
  for (const char c : texts.token) {
    if (c <= ' ' || c > '~') return bad("--token", "--token has a character that a header cannot carry");
  }
  options.token = texts.token;
  options.retry = texts.retry;
  options.busy_generator_allowed = texts.busy_generator_allowed;
  for (const auto& text : texts.thresholds) {
    auto threshold = Threshold::parse(text);
    if (!threshold) return threshold.error();
    options.thresholds.push_back(std::move(*threshold));
  }
  return options;
}

}  // namespace doorbuster::loadlab
