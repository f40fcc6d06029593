#pragma once
// What a request of Eureka's protocol is about, out of its path.
//
// Servers have stood under /eureka, /eureka/v2, /v2 and at the root, and clients are configured for each; a
// slash at the end is sent or not. Ids hold `:` raw or escaped, and py_eureka_client leaves even `/` as it
// is.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace doorbuster::registry {

enum class Subject : std::uint8_t {
  all,          ///< apps
  delta,        ///< apps/delta
  app,          ///< apps/{app}
  instance,     ///< apps/{app}/{id}
  status,       ///< apps/{app}/{id}/status
  metadata,     ///< apps/{app}/{id}/metadata
  id,           ///< instances/{id}
  vip,          ///< vips/{vip}
  secure_vip,   ///< svips/{vip}
  asg,          ///< asg/{name}/status: of Amazon's cloud alone
  replication,  ///< peerreplication/batch
};

struct Target {
  Subject subject = Subject::all;
  std::string app;  ///< upper case
  std::string id;   ///< of the instance, or the vip
};

/// nullopt: no path of Eureka's, or badly escaped.
std::optional<Target> parse_target(std::string_view path);

}  // namespace doorbuster::registry
