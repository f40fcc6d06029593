#pragma once
// Addresses of registries as Eureka's clients write them: `http://user:secret@host:8761/eureka/`.

#include <string>
#include <string_view>
#include <vector>

#include "net/http_client.hpp"

namespace doorbuster {

struct RegistryServer {
  net::Url url;               ///< the path is that of Eureka's REST: `/eureka`
  std::string authorization;  ///< value of that header; empty: none
  std::string shown;          ///< for logs: without the secret
};

/// A list with commas; a URL without a path gets `/eureka`. \returns invalid
Result<std::vector<RegistryServer>> parse_registry_servers(std::string_view list);

/// The local IP address from which `server` is reached; empty when there is no way to it.
std::string local_address_towards(const net::Url& server);

/// Escaped for one segment of a path; `:` stays, as Eureka's own clients send it.
std::string path_segment(std::string_view text);

}  // namespace doorbuster
