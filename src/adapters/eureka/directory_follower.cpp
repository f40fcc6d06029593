#include "adapters/eureka/directory_follower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.hpp"
#include "proto/eureka/codec.hpp"
#include "proto/http/event_stream.hpp"

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

/// Our registry says something every fifteen seconds, be it a comment.
constexpr Duration kLongestSilence = 45s;
/// Before a server that has no events is asked for them again: it may have been replaced.
constexpr Duration kWithoutEvents = 300s;
/// A stream that ends sooner than this is opened again only after a while.
constexpr Duration kShortStream = 1s;
constexpr Duration kStreamPause = 1s;
/// After an answer that is older than an event. Our registry's cache is never that old for long.
constexpr Duration kStalePause = 20ms;
constexpr int kMostStaleAnswers = 250;

std::int64_t version_of(std::string_view id) {
  std::int64_t version = -1;
  std::from_chars(id.data(), id.data() + id.size(), version);
  return version;
}

}  // namespace

class DirectoryFollower::EventReader final : public net::StreamReader {
 public:
  explicit EventReader(DirectoryFollower& follower) : follower_(follower), alive_(follower.alive_) {}

  bool on_head(int status, std::string_view content_type) override {
    is_open_ = status == 200 && content_type.substr(0, 17) == "text/event-stream";
    if (is_open_ && *alive_) {
      follower_.stats_.following = true;
      follower_.on_event();  // what changed before it was open
    }
    return is_open_;
  }
  void on_bytes(std::string_view bytes) override {
    std::uint64_t events = 0;
    std::int64_t version = -1;
    const bool bounded = parser_.put(bytes, [&](const http::EventStreamParser::Event& event) {
      ++events;
      version = std::max(version, version_of(event.id));
    });
    if (!*alive_ || (events == 0 && bounded)) return;
    follower_.stats_.events += events;
    follower_.on_event(version);
  }
  void on_end(const Error& why) override {
    if (*alive_) follower_.on_stream_end(is_open_, why);
  }

 private:
  DirectoryFollower& follower_;
  std::shared_ptr<bool> alive_;
  http::EventStreamParser parser_;
  bool is_open_ = false;
};

DirectoryFollower::DirectoryFollower(rt::Shard& shard, RegistryServers& servers, Options options,
                                     Changed changed)
    : shard_(shard), servers_(servers), options_(options), changed_(std::move(changed)) {}

DirectoryFollower::Stats DirectoryFollower::stats() const {
  auto stats = stats_;
  stats.instances = table_.size();
  return stats;
}

void DirectoryFollower::wake_at(discovery::Moment due) {
  shard_.after(std::max(due - servers_.now(), Duration{}), [this, alive = alive_, timer = ++timer_] {
    if (!*alive || timer != timer_) return;
    if (table_.forget(servers_.now())) publish();
    fetch();
  });
}

void DirectoryFollower::fetch() {
  if (fetching_) {
    again_ = true;
    return;
  }
  const auto choice = servers_.choose();
  if (choice.not_before > servers_.now()) return wake_at(choice.not_before);
  ask(choice.server);
}

void DirectoryFollower::ask(std::size_t server) {
  fetching_ = true;
  again_ = false;
  const bool delta = !full_next_ && without_deltas_ != server;
  net::AsyncRequest request;
  request.target = delta ? "/apps/delta" : "/apps/";
  request.headers.emplace_back("Accept", "application/json");
  servers_.exchange(
      server, std::move(request),
      [this, alive = alive_, delta](std::size_t asked, const Result<net::ClientResponse>& answer) {
        if (*alive) on_answer(asked, delta, answer);
      });
}

void DirectoryFollower::on_answer(std::size_t server, bool delta, const Result<net::ClientResponse>& answer) {
  fetching_ = false;
  if (!answer) return on_failure(server, answer.error().detail);
  if (answer->status != 200) {
    if (!delta) return on_failure(server, fmt::format("status {} to a full fetch", answer->status));
    // Deltas are switched off there (403, 404), or it is out of order: the full fetch shows.
    if (answer->status == 403 || answer->status == 404) without_deltas_ = server;
    full_next_ = true;
    return fetch();
  }
  const auto applications =
      eureka::read_applications(eureka::format_of_content(answer->content_type), answer->body);
  if (!applications) return on_failure(server, applications.error().detail);
  servers_.answered(server);
  if (delta) {
    ++stats_.delta_fetches;
    full_next_ = !table_.apply(*applications);
    if (full_next_) ++stats_.mismatches;
  } else {
    ++stats_.full_fetches;
    take_full(server, *applications);
  }
  last_server_ = server;
  lost_contact_ = false;
  publish();
  if (again_ || full_next_) return fetch();
  follow(server);
  if (is_stale(server, applications->version)) return wake_at(servers_.now() + kStalePause);
  auto next = servers_.now() + options_.poll_every;
  if (const auto forget = table_.next_forget()) next = std::min(next, *forget);
  if (options_.follow_events && !stream_server_) next = std::min(next, no_stream_before_);
  wake_at(next);
}

void DirectoryFollower::take_full(std::size_t server, const leases::Applications& all) {
  // Where there are no deltas, absence is the only way to say that somebody left. It is believed of a server
  // that has answered all the time, not of one that may have been started a moment ago.
  const bool absence_counts = without_deltas_ == server && last_server_ == server && !lost_contact_;
  table_.replace(all, servers_.now(), absence_counts);
  full_next_ = false;
}

void DirectoryFollower::on_failure(std::size_t server, const std::string& why) {
  ++stats_.failures;
  lost_contact_ = true;
  servers_.failed(server, why);
  fetch();
}

void DirectoryFollower::follow(std::size_t server) {
  if (!options_.follow_events || stream_server_ == server || servers_.now() < no_stream_before_) return;
  servers_.close_events();
  stats_.following = false;
  stream_server_ = server;
  stream_opened_ = servers_.now();
  event_version_ = -1;
  stale_answers_ = 0;
  servers_.follow_events(server, kLongestSilence, std::make_unique<EventReader>(*this));
}

void DirectoryFollower::on_event(std::int64_t version) {
  event_version_ = std::max(event_version_, version);
  fetch();
}

/// Does this answer not show yet what an event of its server has told?
bool DirectoryFollower::is_stale(std::size_t server, std::int64_t version) {
  if (stream_server_ != server || version < 0 || version >= event_version_) {
    stale_answers_ = 0;
    return false;
  }
  return ++stale_answers_ <= kMostStaleAnswers;
}

void DirectoryFollower::on_stream_end(bool was_open, const Error& why) {
  const auto now = servers_.now();
  stream_server_ = std::nullopt;
  stats_.following = false;
  if (!was_open && why.code == ErrorCode::unsupported) {
    no_stream_before_ = now + kWithoutEvents;
    return;
  }
  if (now - stream_opened_ < kShortStream) no_stream_before_ = now + kStreamPause;
  log().debug("registry: the stream of events has ended: {}", why.detail);
  fetch();  // shows whether the server is still there, and opens the stream again
}

void DirectoryFollower::publish() {
  changed_(table_);
}

}  // namespace doorbuster
