#pragma once
// Who is registered, and until when: the heart of the registry. Synchronous and deterministic; time is given.
//
// The rules are Eureka's (Netflix/eureka, eureka-core/.../registry/AbstractInstanceRegistry at 61acc83), but
// for these: a lease ends after one duration, not two (`double_duration` for those who count on two); self-
// preservation goes by the intervals that the leases themselves declare, is off for a handful of instances,
// and evicts no random share; a change of status by a renewal is told to clients, too; ids are unique within
// their app only.
//
// Invariants
//  1. counts() and hash_code() are those of all leases, at any time between two calls.
//  2. version() grows with each change of what clients can see. A renewal alone is none.
//  3. A lease's index is its place in App::leases, and page index / kPageSize of App::page_versions holds the
//     version of the last change in that page.
//  4. Every change is in recent() until it is older than delta_retention.
//
// One thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "core/leases/instance.hpp"
#include "core/leases/minute_count.hpp"
#include "core/leases/recent_changes.hpp"

namespace doorbuster::leases {

struct LeaseOptions {
  bool self_preservation = true;
  std::int64_t renewal_percent_threshold = 85;
  std::size_t self_preservation_from = 10;  ///< instances; with fewer there is none
  bool double_duration = false;             ///< Netflix's server keeps a renewed lease for two durations
  Duration eviction_interval = std::chrono::seconds(1);  ///< how often evict() is called
  Duration delta_retention = std::chrono::seconds(180);
  std::size_t most_instances = 100'000;
  std::size_t most_recent_changes = 200'000;
  std::size_t most_metadata_bytes = 64 * 1024;  ///< of one instance
  std::int64_t first_version = 1;               ///< greater than any of the process before: its start time
};

struct Lease {
  std::shared_ptr<InstanceInfo> info;
  Timestamp registered;  ///< first of its id; the expectation of renewals begins there
  Timestamp renewed;     ///< by a heartbeat or a registration
  bool ever_renewed = false;
  std::size_t index = 0;
};

struct App {
  std::string name;
  std::vector<std::unique_ptr<Lease>> leases;  ///< in no order that clients could count on
  std::vector<std::int64_t> page_versions;

 private:
  friend class LeaseTable;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Lease*, Hash, std::equal_to<>> by_id_;
};

/// Self-preservation in numbers, under Eureka's names.
struct Renewals {
  std::uint64_t threshold = 0;    ///< "Renews threshold", a minute
  std::uint64_t last_minute = 0;  ///< "Renews (last min)"
  bool expiry_enabled = true;     ///< "Lease expiration enabled"
};

class LeaseTable {
 public:
  static constexpr std::size_t kPageSize = 64;
  using Apps = std::map<std::string, App, std::less<>>;
  using OnChange = std::function<void(const InstanceInfo&)>;

  explicit LeaseTable(const LeaseOptions& options);

  /// Called after each change, with the instance as it now is; its `action` says what happened.
  void on_change(OnChange listener) { on_change_ = std::move(listener); }

  /// \param info its app and id are not empty. \returns overloaded when there are too many instances;
  /// too_large
  Result<void> enroll(InstanceInfo info, Timestamp now);
  /// \param last_dirty_ms of the sender's copy. \returns false: the sender has to register (again)
  bool renew(std::string_view app, std::string_view id, std::optional<std::int64_t> last_dirty_ms,
             Timestamp now);
  /// \returns false: there is no such instance. The same holds for the three below.
  bool cancel(std::string_view app, std::string_view id, Timestamp now);
  /// Keeps that status whatever the instance itself reports, but for STARTING and DOWN.
  bool override_status(std::string_view app, std::string_view id, InstanceStatus status,
                       std::optional<std::int64_t> last_dirty_ms, Timestamp now);
  /// UNKNOWN lets the next heartbeat fail, so that the instance registers with its true status.
  bool drop_override(std::string_view app, std::string_view id, InstanceStatus status,
                     std::optional<std::int64_t> last_dirty_ms, Timestamp now);
  /// Merges. \returns not_found, too_large
  Result<void> add_metadata(std::string_view app, std::string_view id, const NamedValues& values,
                            Timestamp now);

  /// Removes what has expired, unless self-preservation forbids it; forgets old changes.
  /// \returns how many instances were removed
  std::size_t evict(Timestamp now);

  /// nullptr as well when the lease has expired and may be evicted any moment.
  const Lease* find(std::string_view app, std::string_view id, Timestamp now) const;
  /// In the first app that has such an instance. Looks through all apps.
  const Lease* find_id(std::string_view id, Timestamp now) const;
  const Apps& apps() const { return apps_; }
  const App* find_app(std::string_view name) const;
  std::size_t size() const { return size_; }
  std::int64_t version() const { return version_; }
  const StatusCounts& counts() const { return counts_; }
  std::string hash_code() const { return leases::hash_code(counts_); }
  const RecentChanges& recent() const { return recent_; }
  /// Counts anew; looks at all leases.
  Renewals renewals(Timestamp now);
  /// As of the last evict().
  bool expiry_enabled() const { return expiry_enabled_; }
  const LeaseOptions& options() const { return options_; }

 private:
  struct Place {
    App* app = nullptr;
    Lease* lease = nullptr;
  };
  Place place(std::string_view app, std::string_view id);
  bool expired(const Lease& lease, Timestamp now) const;
  /// The status of a registration or renewal that reports `reported`.
  static InstanceStatus effective_status(InstanceStatus reported, InstanceStatus overridden,
                                         std::optional<InstanceStatus> existing);
  void set_status(InstanceInfo& info, InstanceStatus status, Timestamp now);
  void changed(App& app, Lease& lease, Action action, Timestamp now);
  void remove(Place place, Timestamp now);
  void make_up_for_a_pause(Timestamp now);

  LeaseOptions options_;
  Apps apps_;
  std::size_t size_ = 0;
  std::int64_t version_;
  StatusCounts counts_{};
  RecentChanges recent_;
  MinuteCount renewed_;
  bool expiry_enabled_ = true;
  std::optional<Timestamp> evicted_at_;
  OnChange on_change_;
};

}  // namespace doorbuster::leases
