#pragma once
// A client's copy of the registry: full lists and deltas merged, the hash compared, and nobody dropped
// because a registry has just been started.
//
// Invariants:
// 1. After apply() returned true, those that are not merely remembered have the statuses that the registry
//    counted when it wrote the delta.
// 2. An instance leaves at once when a delta says so. One that a full list no longer names stays, remembered,
//    for one lease: a registry that was restarted knows nobody until its clients have renewed, and a gateway
//    that believed it would have nowhere to send to. A remembered one whose address another instance of its
//    app has taken leaves at once.
//
// Source: eureka-client's DiscoveryClient (updateDelta, reconcile), without its order dependence
// (Netflix/eureka#1528). One thread.

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "core/leases/instance.hpp"

namespace doorbuster::discovery {

/// Time since some fixed moment; it never goes back.
using Moment = Duration;

class InstanceTable {
 public:
  /// A full list. \param absence_counts whoever it does not name is gone (servers without deltas say it so)
  void replace(const leases::Applications& all, Moment now, bool absence_counts = false);
  /// \returns false when the hashes differ afterwards: something was missed, a full list is needed
  bool apply(const leases::Applications& delta);
  /// Drops the remembered ones whose time is over. \returns whether there were any
  bool forget(Moment now);
  /// When forget() has something to do next.
  std::optional<Moment> next_forget() const;

  std::size_t size() const { return instances_.size(); }
  /// Of those that are not merely remembered.
  std::string hash_code() const;

  template <class Each>
  void for_each(Each each) const {
    for (const auto& [key, entry] : instances_) each(entry.info);
  }

 private:
  struct Entry {
    leases::InstanceInfo info;
    std::optional<Moment> remembered_until;
  };
  using Key = std::pair<std::string, std::string>;  // app and id: ids are unique within their app only

  std::map<Key, Entry> instances_;
};

}  // namespace doorbuster::discovery
