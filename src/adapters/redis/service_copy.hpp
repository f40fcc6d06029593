#pragma once
// The third way to look instances up: a copy of the lists in Redis, which every gateway reads for each
// request and whoever follows the registry keeps (experiment Q1).
//
//   directory ──changed──▶ ServiceCopyKeeper ──SET, PX──▶ doorbuster:instances:SERVICE ◀──GET── RedisLookup
//
// The copy ends by itself when nobody keeps it any more: old news are worse than none. While the registry is
// gone, the directory keeps its last good list, and so does the copy.
//
// One thread: the shard's.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/redis/connection.hpp"
#include "ports/asking_lookup.hpp"

namespace doorbuster {

/// As JSON, for people who look into Redis, too.
std::string service_copy_text(const ServiceList& list);
/// \returns malformed
Result<ServiceList> read_service_copy(std::string_view text);

/// Writes what the directory knows, when it changes. Several gateways may: who writes last knows best, and
/// who has nothing new only prolongs.
class ServiceCopyKeeper {
 public:
  static constexpr Duration kLasts = std::chrono::seconds(30);
  static constexpr Duration kRefresh = std::chrono::seconds(5);

  /// \param directory outlives this and is stopped before it
  ServiceCopyKeeper(rt::Shard& shard, redis::Options options, ServiceDirectory& directory,
                    std::set<std::string> services, Duration refresh = kRefresh);
  ~ServiceCopyKeeper() { *alive_ = false; }
  ServiceCopyKeeper(const ServiceCopyKeeper&) = delete;
  ServiceCopyKeeper& operator=(const ServiceCopyKeeper&) = delete;

 private:
  void publish();
  void write(const std::string& service);
  void refresh();

  rt::Shard& shard_;
  ServiceDirectory& directory_;
  std::set<std::string> services_;
  std::set<std::string> unwritten_;  ///< changed, and Redis has not said yes
  Duration refresh_every_;
  bool told_ = false;  ///< the directory has a list: before, 'nobody' only means that it has not asked yet
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  redis::Connection connection_;
};

class RedisLookup final : public AskingLookup {
 public:
  RedisLookup(rt::Shard& shard, redis::Options options);
  ~RedisLookup() override { *alive_ = false; }

 private:
  void ask(const std::string& service) override;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  redis::Connection connection_;
};

}  // namespace doorbuster
