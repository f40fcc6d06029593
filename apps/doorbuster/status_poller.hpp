#pragma once
// Asks the children of `up` how they are, on a thread of its own, so that one that hangs delays nobody.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/http_client.hpp"

namespace doorbuster {

class StatusPoller {
 public:
  struct Target {
    net::Url url;
    /// Path that is answered when this one can serve: `/readyz`. Anything below 500 counts.
    std::string ready_path;
  };
  struct Status {
    bool ready = false;
    std::optional<std::uint64_t> requests;  ///< since it started
    std::chrono::steady_clock::time_point taken;
  };

  /// \param with_numbers ask for their metrics, too
  StatusPoller(std::vector<Target> targets, bool with_numbers);
  ~StatusPoller();

  /// \param index of the target
  Status status(std::size_t index) const;
  /// What is known of it is of a process that has ended.
  void forget(std::size_t index);

 private:
  void work();
  Status ask(const Target& target) const;

  const std::vector<Target> targets_;
  const bool with_numbers_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Status> statuses_;          // guarded by mutex_
  std::vector<std::uint64_t> forgotten_;  // guarded by mutex_
  bool stopping_ = false;                 // guarded by mutex_
  std::thread thread_;
};

/// Requests that a role has served, out of its /metrics; nullopt when it does not say.
std::optional<std::uint64_t> served_requests(std::string_view metrics);

}  // namespace doorbuster
