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

#include <map>
#include <memory>
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

/// Writes what the directory knows, when that changes, and prolongs it in between. Several gateways may: who
/// learns of a change writes it, who knows nothing new only prolongs, who knows nothing does neither.
class ServiceCopyKeeper {
 public:
  struct Times {
    Duration lasts = std::chrono::seconds(30);
    Duration refresh = std::chrono::seconds(5);
  };

  /// \param directory outlives this and is stopped before it
  ServiceCopyKeeper(rt::Shard& shard, redis::Options options, ServiceDirectory& directory,
                    const std::set<std::string>& services, Times times);
  ~ServiceCopyKeeper() { *alive_ = false; }
  ServiceCopyKeeper(const ServiceCopyKeeper&) = delete;
  ServiceCopyKeeper& operator=(const ServiceCopyKeeper&) = delete;

 private:
  struct Copy {
    std::shared_ptr<const ServiceList> list;  ///< null: the directory has not told of any
    bool written = false;                     ///< Redis has said yes
    bool complained = false;
  };
  using Copies = std::map<std::string, Copy>;

  void learn();
  void write(Copies::value_type& copy);
  void prolong(Copies::value_type& copy);
  void refresh();
  void tick();

  rt::Shard& shard_;
  ServiceDirectory& directory_;
  const Times times_;
  Copies copies_;      // by service
  bool told_ = false;  // the directory has a list: before, 'nobody' only means that it has not asked yet
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
