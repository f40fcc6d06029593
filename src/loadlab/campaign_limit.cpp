#include "loadlab/campaign_limit.hpp"

#include <boost/json.hpp>

#include "net/http_client.hpp"

namespace doorbuster::loadlab {

std::optional<std::uint64_t> limit_in(std::string_view body) {
  boost::system::error_code error;
  const auto value = boost::json::parse(body, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto* limit = value.get_object().if_contains("limit");
  if (limit == nullptr || !limit->is_int64() || limit->get_int64() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(limit->get_int64());
}

std::optional<std::uint64_t> ask_limit(const Options& options) {
  const auto& target = options.targets.front();
  if (!target.path.empty()) return std::nullopt;
  net::HttpClient client(net::Url{target.host, std::to_string(target.port), ""}, options.token,
                         std::chrono::seconds(2));
  const auto answer = client.exchange("GET", "/v1/campaigns/" + options.campaign);
  if (!answer || answer->status != 200) return std::nullopt;
  return limit_in(answer->body);
}

}  // namespace doorbuster::loadlab
