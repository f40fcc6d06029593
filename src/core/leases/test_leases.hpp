#pragma once
// A lease table with a time of its own, for tests.

#include <string>
#include <vector>

#include "core/leases/lease_table.hpp"

namespace doorbuster::leases {

inline InstanceInfo instance_of(const std::string& app, const std::string& id,
                                InstanceStatus status = InstanceStatus::up) {
  InstanceInfo info;
  info.app = app;
  info.instance_id = id;
  info.host_name = "host-" + id;
  info.status = status;
  return info;
}

struct TestLeases {
  explicit TestLeases(const LeaseOptions& options = {}) : table(options) {
    table.on_change([this](const InstanceInfo& info) {
      events.push_back(std::string(to_text(*info.action)) + " " + info.app + "/" + info.instance_id + " " +
                       std::string(to_text(info.status)));
    });
  }

  void enroll(InstanceInfo info) {
    const auto enrolled = table.enroll(std::move(info), now);
    DOORBUSTER_ASSERT(enrolled.has_value());
  }
  bool renew(const std::string& app, const std::string& id) {
    return table.renew(app, id, std::nullopt, now);
  }
  /// Second by second, as the registry does. \returns how many were evicted
  std::size_t pass(int seconds) {
    std::size_t evicted = 0;
    for (int i = 0; i < seconds; ++i) {
      now += std::chrono::seconds(1);
      evicted += table.evict(now);
    }
    return evicted;
  }
  const Lease* find(const std::string& app, const std::string& id) { return table.find(app, id, now); }
  InstanceStatus status(const std::string& app, const std::string& id) { return find(app, id)->info->status; }
  /// ID ACTION of the delta, from the oldest to the newest.
  std::vector<std::string> delta() {
    std::vector<std::string> entries;
    for (const auto& change : table.recent().all()) {
      entries.push_back(change.instance->instance_id + " " + std::string(to_text(*change.instance->action)));
    }
    return entries;
  }

  Timestamp now{std::chrono::seconds(1'700'000'000)};
  LeaseTable table;
  std::vector<std::string> events;
};

}  // namespace doorbuster::leases
