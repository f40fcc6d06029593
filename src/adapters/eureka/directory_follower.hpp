#pragma once
// Keeps the copy of the registry fresh: a full list first, deltas then, at once when our own registry says
// that something has changed, every `poll_every` in any case.
//
// The stream of events is a hint only: whatever it says, a delta is fetched and its hash compared. So nothing
// depends on an event that was lost, and a registry of Netflix, which has no events, is merely slower. An
// answer that is older than an event is asked for again: a registry that is busy answers from its cache.
//
// One thread: the shard's.

#include <functional>
#include <memory>
#include <optional>

#include "adapters/eureka/registry_servers.hpp"
#include "core/discovery/instance_table.hpp"

namespace doorbuster {

class DirectoryFollower {
 public:
  struct Options {
    Duration poll_every = std::chrono::seconds(30);
    bool follow_events = true;
  };
  struct Stats {
    std::uint64_t full_fetches = 0;
    std::uint64_t delta_fetches = 0;
    std::uint64_t mismatches = 0;  ///< deltas whose hash did not fit
    std::uint64_t failures = 0;
    std::uint64_t events = 0;
    std::size_t instances = 0;
    bool following = false;  ///< the stream of events is open
  };
  using Changed = std::function<void(const discovery::InstanceTable&)>;

  /// `changed` is called after each answer and each forgetting, also when nothing has changed.
  DirectoryFollower(rt::Shard& shard, RegistryServers& servers, Options options, Changed changed);
  ~DirectoryFollower() { *alive_ = false; }

  void start() { fetch(); }
  Stats stats() const;

 private:
  class EventReader;

  void fetch();
  void ask(std::size_t server);
  void on_answer(std::size_t server, bool delta, const Result<net::ClientResponse>& answer);
  void take_full(std::size_t server, const leases::Applications& all);
  void on_failure(std::size_t server, const std::string& why);
  void wake_at(discovery::Moment due);
  void follow(std::size_t server);
  void on_event(std::int64_t version = -1);
  bool is_stale(std::size_t server, std::int64_t version);
  void on_stream_end(bool was_open, const Error& why);
  void publish();

  rt::Shard& shard_;
  RegistryServers& servers_;
  Options options_;
  Changed changed_;
  discovery::InstanceTable table_;
  Stats stats_;
  bool full_next_ = true;
  bool fetching_ = false;
  bool again_ = false;  // something happened while a fetch was under way
  std::uint64_t timer_ = 0;
  std::optional<std::size_t> last_server_;     // of the last good answer
  std::optional<std::size_t> without_deltas_;  // the server that refused them
  bool lost_contact_ = false;                  // since the last good answer
  std::optional<std::size_t> stream_server_;   // whose events are followed, or are about to be
  discovery::Moment stream_opened_{};
  std::int64_t event_version_ = -1;  // the highest of this stream
  int stale_answers_ = 0;            // since the last that was not
  discovery::Moment no_stream_before_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace doorbuster
