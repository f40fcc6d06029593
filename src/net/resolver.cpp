#include "net/resolver.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <memory>

namespace doorbuster::net {

void resolve(rt::Shard& shard, const std::string& host,
             UniqueFunction<void(Result<std::vector<std::string>>)> done) {
  using boost::asio::ip::tcp;
  auto resolver = std::make_unique<tcp::resolver>(shard.context());
  auto& asked = *resolver;
  asked.async_resolve(
      host, "",
      [held = std::move(resolver), host, call = std::move(done)](
          const boost::system::error_code& error, const tcp::resolver::results_type& found) mutable {
        if (error) {
          return call(
              make_error(ErrorCode::unavailable, "cannot resolve '" + host + "': " + error.message()));
        }
        std::vector<std::string> addresses;
        for (const bool six : {false, true}) {
          for (const auto& one : found) {
            if (one.endpoint().address().is_v6() == six)
              addresses.push_back(one.endpoint().address().to_string());
          }
        }
        call(std::move(addresses));
      });
}

}  // namespace doorbuster::net
