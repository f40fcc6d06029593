#include "core/leases/recent_changes.hpp"

namespace doorbuster::leases {

std::string RecentChanges::key_of(const InstanceInfo& instance) {
  // An id is unique within its app only.
  std::string key = instance.app;
  key += '\0';
  key += instance.instance_id;
  return key;
}

void RecentChanges::put(std::shared_ptr<const InstanceInfo> instance, Timestamp now) {
  auto key = key_of(*instance);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    changes_.splice(changes_.end(), changes_, found->second);
    changes_.back() = {std::move(instance), now};
    return;
  }
  changes_.push_back({std::move(instance), now});
  by_key_.emplace(std::move(key), std::prev(changes_.end()));
  if (changes_.size() > most_) drop_oldest();
}

bool RecentChanges::purge(Timestamp now) {
  bool any = false;
  while (!changes_.empty() && now - changes_.front().at > retention_) {
    drop_oldest();
    any = true;
  }
  return any;
}

void RecentChanges::drop_oldest() {
  by_key_.erase(key_of(*changes_.front().instance));
  changes_.pop_front();
}

}  // namespace doorbuster::leases
