#include "core/discovery/server_order.hpp"

#include <algorithm>
#include <array>

namespace doorbuster::discovery {

ServerOrder::Choice ServerOrder::choose(Moment now) {
  std::size_t soonest = current_;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto server = (current_ + i) % servers_.size();
    if (servers_[server].paused_until <= now) {
      current_ = server;
      return {server, now};
    }
    if (servers_[server].paused_until < servers_[soonest].paused_until) soonest = server;
  }
  current_ = soonest;
  return {soonest, servers_[soonest].paused_until};
}

void ServerOrder::answered(std::size_t server) {
  servers_[server] = {};
}

void ServerOrder::failed(std::size_t server, Moment now) {
  auto& one = servers_[server];
  if (one.paused_until > now) return;
  one.pause = one.pause == Duration{} ? kFirstPause : std::min(one.pause * 2, kLongestPause);
  std::array<std::uint8_t, 1> byte{};
  random_->fill(byte);
  one.paused_until = now + one.pause * 3 / 4 + one.pause * byte[0] / 1024;  // 75 to 100 %
}

}  // namespace doorbuster::discovery
