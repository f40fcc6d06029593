#pragma once
// What changed within the last minutes: the contents of a delta. One entry an instance, with its present
// state; a later change moves it to the end. One thread.

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "core/leases/instance.hpp"

namespace doorbuster::leases {

class RecentChanges {
 public:
  struct Change {
    std::shared_ptr<const InstanceInfo> instance;  ///< the live one, or what was left of a deleted one
    Timestamp at;
  };

  RecentChanges(Duration retention, std::size_t most) : retention_(retention), most_(most) {}

  /// The oldest entry gives way when there are too many: clients then see a wrong hash, and fetch all.
  void put(std::shared_ptr<const InstanceInfo> instance, Timestamp now);
  bool has(const InstanceInfo& instance) const { return by_key_.contains(key_of(instance)); }
  /// Drops what is too old. \returns whether there was any
  bool purge(Timestamp now);
  /// From the oldest to the newest.
  const std::list<Change>& all() const { return changes_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  static std::string key_of(const InstanceInfo& instance);
  void drop_oldest();

  Duration retention_;
  std::size_t most_;
  std::list<Change> changes_;
  std::unordered_map<std::string, std::list<Change>::iterator, Hash, std::equal_to<>> by_key_;
};

}  // namespace doorbuster::leases
