#pragma once
// Pushes each change to those who listen (`GET /v1/registry/events`, server-sent events). Eureka has nothing
// of the kind: its clients learn of a change when they next ask.
//
// A listener that takes its events too slowly is cut off rather than waited for or told less: it connects
// again and fetches all. Ownership and thread: the sources belong to their connections, all on one thread; a
// source may outlive the hub.

#include <cstdint>
#include <memory>
#include <string>

#include "net/http_server.hpp"
#include "services/registry/rope.hpp"

namespace doorbuster::registry {

class EventHub {
 public:
  struct Options {
    std::size_t most_listeners = 1'000;
    std::size_t most_waiting_bytes = 4 << 20;  ///< of one listener
  };
  struct Stats {
    std::uint64_t listeners = 0;
    std::uint64_t published = 0;
    std::uint64_t cut_off = 0;
  };

  explicit EventHub(const Options& options);
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  /// A body that begins with `greeting` and goes on with every event. nullptr: there are too many.
  std::unique_ptr<net::BodySource> listen(std::string greeting);
  bool anybody() const;
  /// \param event whole, with its empty line
  void publish(SharedText event);
  /// Ends all bodies, and every one that is asked for later.
  void close();
  Stats stats() const;

 private:
  class State;
  class Listener;
  std::shared_ptr<State> state_;
};

/// `event: NAME`, `id: ID` and `data: DATA`. \param data one line
std::string server_sent_event(std::string_view name, std::int64_t id, std::string_view data);

}  // namespace doorbuster::registry
