#include "core/discovery/instance_table.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace doorbuster::discovery {
namespace {

/// A lease may be declared as long as one likes.
constexpr std::int64_t kLongestMemory_s = 600;

auto address_of(const leases::InstanceInfo& info) {
  return std::tuple(info.app, info.host_name, info.port.number, info.secure_port.number);
}

}  // namespace

void InstanceTable::replace(const leases::Applications& all, Moment now, bool absence_counts) {
  std::map<Key, Entry> fresh;
  std::set<decltype(address_of({}))> taken;
  for (const auto& application : all.applications) {
    for (const auto& info : application.instances) {
      if (info.action == leases::Action::deleted) continue;
      taken.insert(address_of(info));
      fresh.insert_or_assign({info.app, info.instance_id}, Entry{info, std::nullopt});
    }
  }
  if (!absence_counts) {
    for (auto& [key, entry] : instances_) {
      if (entry.info.status != leases::InstanceStatus::up || taken.contains(address_of(entry.info))) continue;
      const auto lease = std::clamp<std::int64_t>(entry.info.lease.duration_s, 1, kLongestMemory_s);
      if (!entry.remembered_until) entry.remembered_until = now + std::chrono::seconds(lease);
      fresh.try_emplace(key, std::move(entry));
    }
  }
  instances_ = std::move(fresh);
}

bool InstanceTable::apply(const leases::Applications& delta) {
  for (const auto& application : delta.applications) {
    for (const auto& info : application.instances) {
      const Key key{info.app, info.instance_id};
      if (info.action == leases::Action::deleted) {
        instances_.erase(key);
      } else {
        instances_.insert_or_assign(key, Entry{info, std::nullopt});
      }
    }
  }
  return hash_code() == delta.hash_code;
}

bool InstanceTable::forget(Moment now) {
  return std::erase_if(instances_, [now](const auto& one) {
           return one.second.remembered_until && *one.second.remembered_until <= now;
         }) > 0;
}

std::optional<Moment> InstanceTable::next_forget() const {
  std::optional<Moment> next;
  for (const auto& [key, entry] : instances_) {
    if (entry.remembered_until && (!next || *entry.remembered_until < *next)) next = entry.remembered_until;
  }
  return next;
}

std::string InstanceTable::hash_code() const {
  leases::StatusCounts counts{};
  for (const auto& [key, entry] : instances_) {
    if (!entry.remembered_until) ++counts[static_cast<std::size_t>(entry.info.status)];
  }
  return leases::hash_code(counts);
}

}  // namespace doorbuster::discovery
