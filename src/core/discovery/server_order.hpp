#pragma once
// Which of several registries to ask, and when: stays with the one that answers, goes on to the next when it
// fails, and waits longer each time for one that keeps failing.
//
// One thread.

#include <cstddef>
#include <vector>

#include "base/random.hpp"
#include "core/discovery/instance_table.hpp"

namespace doorbuster::discovery {

class ServerOrder {
 public:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(100);
  static constexpr Duration kLongestPause = std::chrono::seconds(5);

  /// \pre servers > 0. \param random spreads the pauses: a registry that returns is not met by all at once
  ServerOrder(std::size_t servers, RandomSource& random) : servers_(servers), random_(&random) {}

  struct Choice {
    std::size_t server = 0;
    Moment not_before{};  ///< now or earlier: at once
  };
  /// The current one, else the next that is not paused, else the one whose pause ends first.
  Choice choose(Moment now);
  void answered(std::size_t server);
  /// A server that is paused already does not pause longer: several requests may fail together.
  void failed(std::size_t server, Moment now);

 private:
  struct Server {
    Moment paused_until{};
    Duration pause{};  // the last one; 0: it answered
  };

  std::vector<Server> servers_;
  std::size_t current_ = 0;
  RandomSource* random_;
};

}  // namespace doorbuster::discovery
