#include "core/leases/lease_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace doorbuster::leases {
namespace {

/// Of durations and intervals: what is longer is cut, so that no sum overflows.
constexpr std::int64_t kMostSeconds = 366LL * 24 * 3600;

std::int64_t milliseconds(Timestamp time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::size_t bytes_of(const NamedValues& values) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : values) bytes += name.size() + value.size();
  return bytes;
}

Error too_much_metadata(std::size_t most) {
  return make_error(ErrorCode::too_large, fmt::format("an instance has at most {} bytes of metadata", most),
                    "metadata");
}

}  // namespace

LeaseTable::LeaseTable(const LeaseOptions& options)
    : options_(options),
      version_(options.first_version),
      recent_(options.delta_retention, options.most_recent_changes) {}

LeaseTable::Place LeaseTable::place(std::string_view app, std::string_view id) {
  const auto found_app = apps_.find(app);
  if (found_app == apps_.end()) return {};
  const auto found = found_app->second.by_id_.find(id);
  if (found == found_app->second.by_id_.end()) return {};
  return {&found_app->second, found->second};
}

const App* LeaseTable::find_app(std::string_view name) const {
  const auto found = apps_.find(name);
  return found == apps_.end() ? nullptr : &found->second;
}

const Lease* LeaseTable::find(std::string_view app, std::string_view id, Timestamp now) const {
  const auto found_app = apps_.find(app);
  if (found_app == apps_.end()) return nullptr;
  const auto found = found_app->second.by_id_.find(id);
  if (found == found_app->second.by_id_.end()) return nullptr;
  return expiry_enabled_ && expired(*found->second, now) ? nullptr : found->second;
}

const Lease* LeaseTable::find_id(std::string_view id, Timestamp now) const {
  for (const auto& [name, app] : apps_) {
    if (const auto* lease = find(name, id, now)) return lease;
  }
  return nullptr;
}

bool LeaseTable::expired(const Lease& lease, Timestamp now) const {
  const int durations = options_.double_duration && lease.ever_renewed ? 2 : 1;
  return now > lease.renewed + durations * std::chrono::seconds(lease.info->lease.duration_s);
}

InstanceStatus LeaseTable::effective_status(InstanceStatus reported, InstanceStatus overridden,
                                            std::optional<InstanceStatus> existing) {
  const auto in_service_or_out = [](InstanceStatus status) {
    return status == InstanceStatus::up || status == InstanceStatus::out_of_service;
  };
  // An instance knows best that it cannot serve; whether one that can, should, others may decide.
  if (!in_service_or_out(reported)) return reported;
  if (overridden != InstanceStatus::unknown) return overridden;
  if (existing && in_service_or_out(*existing)) return *existing;
  return reported;
}

void LeaseTable::set_status(InstanceInfo& info, InstanceStatus status, Timestamp now) {
  --counts_[static_cast<std::size_t>(info.status)];
  info.status = status;
  ++counts_[static_cast<std::size_t>(status)];
  if (status == InstanceStatus::up && info.lease.service_up_ms == 0) {
    info.lease.service_up_ms = milliseconds(now);
  }
}

void LeaseTable::changed(App& app, Lease& lease, Action action, Timestamp now) {
  lease.info->action = action;
  lease.info->last_updated_ms = milliseconds(now);
  ++version_;
  if (action != Action::deleted) app.page_versions[lease.index / kPageSize] = version_;
  recent_.put(lease.info, now);
  if (on_change_) on_change_(*lease.info);
}

Result<void> LeaseTable::enroll(InstanceInfo info, Timestamp now) {
  DOORBUSTER_ASSERT(!info.app.empty() && !info.instance_id.empty());
  if (bytes_of(info.metadata) > options_.most_metadata_bytes) {
    return too_much_metadata(options_.most_metadata_bytes);
  }
  const auto old = place(info.app, info.instance_id);
  if (old.lease == nullptr && size_ >= options_.most_instances) {
    return make_error(ErrorCode::overloaded,
                      fmt::format("the registry holds {} instances, as many as it may", size_));
  }
  info.lease.duration_s = std::clamp<std::int64_t>(info.lease.duration_s, 1, kMostSeconds);
  info.lease.renewal_interval_s = std::clamp<std::int64_t>(info.lease.renewal_interval_s, 1, kMostSeconds);
  if (info.last_dirty_ms == 0) info.last_dirty_ms = milliseconds(now);

  std::optional<InstanceStatus> existing;
  std::int64_t up_since = 0;
  if (old.lease != nullptr) {
    const auto& before = *old.lease->info;
    existing = before.status;
    up_since = before.lease.service_up_ms;
    const auto overridden = before.overridden_status != InstanceStatus::unknown ? before.overridden_status
                                                                                : info.overridden_status;
    // A late copy must not undo a newer one; its sender is alive all the same.
    if (before.last_dirty_ms > info.last_dirty_ms) info = before;
    info.overridden_status = overridden;
  }
  info.status = effective_status(info.status, info.overridden_status, existing);
  info.lease.registered_ms = milliseconds(now);
  info.lease.last_renewal_ms = milliseconds(now);
  info.lease.evicted_ms = 0;
  info.lease.service_up_ms =
      info.status == InstanceStatus::up && up_since == 0 ? milliseconds(now) : up_since;
  ++counts_[static_cast<std::size_t>(info.status)];

  App* app = old.app;
  Lease* lease = old.lease;
  if (lease == nullptr) {
    app = &apps_.try_emplace(info.app).first->second;
    app->name = info.app;
    auto made = std::make_unique<Lease>();
    lease = made.get();
    lease->index = app->leases.size();
    lease->registered = now;
    app->leases.push_back(std::move(made));
    app->page_versions.resize((app->leases.size() + kPageSize - 1) / kPageSize);
    app->by_id_.emplace(info.instance_id, lease);
    ++size_;
  } else {
    --counts_[static_cast<std::size_t>(*existing)];
  }
  const bool known = old.lease != nullptr || recent_.has(info);
  lease->info = std::make_shared<InstanceInfo>(std::move(info));
  lease->renewed = now;
  lease->ever_renewed = false;
  // Netflix's server says ADDED again; eureka-js-client passes over what is added and there already, so that
  // it would not see what has changed. MODIFIED adds as well where it has to, in every client.
  changed(*app, *lease, known ? Action::modified : Action::added, now);
  return {};
}

bool LeaseTable::renew(std::string_view app, std::string_view id, std::optional<std::int64_t> last_dirty_ms,
                       Timestamp now) {
  const auto at = place(app, id);
  if (at.lease == nullptr) return false;
  auto& info = *at.lease->info;
  const auto status = effective_status(info.status, info.overridden_status, info.status);
  if (status == InstanceStatus::unknown) return false;
  if (status != info.status) {
    set_status(info, status, now);
    changed(*at.app, *at.lease, Action::modified, now);
  }
  at.lease->renewed = now;
  at.lease->ever_renewed = true;
  info.lease.last_renewal_ms = milliseconds(now);
  renewed_.add(now);
  return !last_dirty_ms || *last_dirty_ms <= info.last_dirty_ms;
}

void LeaseTable::remove(Place at, Timestamp now) {
  auto& app = *at.app;
  const auto index = at.lease->index;
  const std::unique_ptr<Lease> removed = std::move(app.leases[index]);
  app.by_id_.erase(removed->info->instance_id);
  --counts_[static_cast<std::size_t>(removed->info->status)];
  --size_;
  if (index + 1 != app.leases.size()) {
    app.leases[index] = std::move(app.leases.back());
    app.leases[index]->index = index;
  }
  app.leases.pop_back();
  changed(app, *removed, Action::deleted, now);
  app.page_versions.resize((app.leases.size() + kPageSize - 1) / kPageSize);
  if (app.leases.empty()) {
    apps_.erase(apps_.find(app.name));
    return;
  }
  // The page that lost one, and the last, which filled the gap.
  if (index / kPageSize < app.page_versions.size()) app.page_versions[index / kPageSize] = version_;
  app.page_versions.back() = version_;
}

bool LeaseTable::cancel(std::string_view app, std::string_view id, Timestamp now) {
  const auto at = place(app, id);
  if (at.lease == nullptr) return false;
  at.lease->info->lease.evicted_ms = milliseconds(now);
  remove(at, now);
  return true;
}

bool LeaseTable::override_status(std::string_view app, std::string_view id, InstanceStatus status,
                                 std::optional<std::int64_t> last_dirty_ms, Timestamp now) {
  if (find(app, id, now) == nullptr) return false;
  const auto at = place(app, id);
  auto& info = *at.lease->info;
  at.lease->renewed = now;
  info.lease.last_renewal_ms = milliseconds(now);
  if (info.status == status) return true;
  set_status(info, status, now);
  info.overridden_status = status;
  // Never to now: the instance's next heartbeat would look older than what is stored here.
  if (last_dirty_ms) info.last_dirty_ms = std::max(info.last_dirty_ms, *last_dirty_ms);
  changed(*at.app, *at.lease, Action::modified, now);
  return true;
}

bool LeaseTable::drop_override(std::string_view app, std::string_view id, InstanceStatus status,
                               std::optional<std::int64_t> last_dirty_ms, Timestamp now) {
  if (find(app, id, now) == nullptr) return false;
  const auto at = place(app, id);
  auto& info = *at.lease->info;
  at.lease->renewed = now;
  info.lease.last_renewal_ms = milliseconds(now);
  if (info.overridden_status == InstanceStatus::unknown) return true;
  info.overridden_status = InstanceStatus::unknown;
  set_status(info, status, now);
  if (last_dirty_ms) info.last_dirty_ms = std::max(info.last_dirty_ms, *last_dirty_ms);
  changed(*at.app, *at.lease, Action::modified, now);
  return true;
}

Result<void> LeaseTable::add_metadata(std::string_view app, std::string_view id, const NamedValues& values,
                                      Timestamp now) {
  if (find(app, id, now) == nullptr) {
    return make_error(ErrorCode::not_found, fmt::format("there is no instance {} of {}", id, app));
  }
  auto merged = place(app, id).lease->info->metadata;
  for (const auto& [name, value] : values) set_value(merged, name, value);
  if (bytes_of(merged) > options_.most_metadata_bytes) {
    return too_much_metadata(options_.most_metadata_bytes);
  }
  auto info = *place(app, id).lease->info;
  info.metadata = std::move(merged);
  return enroll(std::move(info), now);
}

Renewals LeaseTable::renewals(Timestamp now) {
  Renewals result;
  std::int64_t expected = 0;
  for (const auto& [name, app] : apps_) {
    for (const auto& lease : app.leases) {
      // Who came within this minute has not had the time for all of them.
      const auto age = std::min<Duration>(now - lease->registered, std::chrono::minutes(1));
      expected += age / std::chrono::seconds(lease->info->lease.renewal_interval_s);
    }
  }
  result.threshold = static_cast<std::uint64_t>(expected * options_.renewal_percent_threshold / 100);
  result.last_minute = renewed_.last_minute(now);
  result.expiry_enabled = !options_.self_preservation || size_ < options_.self_preservation_from ||
                          (result.threshold > 0 && result.last_minute > result.threshold);
  return result;
}

void LeaseTable::make_up_for_a_pause(Timestamp now) {
  // A process that stood still could hear no heartbeats. Its own silence is not the others' death.
  const auto late = evicted_at_ ? now - *evicted_at_ - options_.eviction_interval : Duration::zero();
  evicted_at_ = now;
  if (late <= options_.eviction_interval + std::chrono::seconds(1)) return;
  for (auto& [name, app] : apps_) {
    for (auto& lease : app.leases) lease->renewed = std::min(now, lease->renewed + late);
  }
}

std::size_t LeaseTable::evict(Timestamp now) {
  make_up_for_a_pause(now);
  // Changes that go out of a delta do not change what is registered, but the delta has to be made anew.
  if (recent_.purge(now)) ++version_;
  expiry_enabled_ = renewals(now).expiry_enabled;
  if (!expiry_enabled_) return 0;
  std::vector<Place> dead;
  for (auto& [name, app] : apps_) {
    for (auto& lease : app.leases) {
      if (expired(*lease, now)) dead.push_back({&app, lease.get()});
    }
  }
  for (const auto& at : dead) {
    at.lease->info->lease.evicted_ms = milliseconds(now);
    remove(at, now);
  }
  return dead.size();
}

}  // namespace doorbuster::leases
