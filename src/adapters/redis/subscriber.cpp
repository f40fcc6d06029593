#include "adapters/redis/subscriber.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "adapters/redis/command.hpp"
#include "adapters/redis/reply.hpp"
#include "adapters/redis/socket.hpp"
#include "base/log.hpp"

namespace doorbuster::redis {

class Subscriber::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(rt::Shard& shard, Options options)
      : shard_(shard), options_(std::move(options)), pause_(options_.first_pause) {}

  void start() { connect(); }
  void stop() {
    stopped_ = true;
    if (socket_) socket_->close();
    channels_.clear();
  }

  void subscribe(const std::string& channel, UniqueFunction<void()> woken) {
    channels_[channel] = std::make_shared<UniqueFunction<void()>>(std::move(woken));
    if (connected_) send({"SUBSCRIBE", channel});
  }
  void unsubscribe(const std::string& channel) {
    if (channels_.erase(channel) > 0 && connected_) send({"UNSUBSCRIBE", channel});
  }
  std::size_t channels() const { return channels_.size(); }

 private:
  void send(const Command& command) {
    command.append_to(socket_->out());
    socket_->flush_later();
  }

  void connect() {
    if (stopped_) return;
    socket_ = std::make_shared<Socket>(shard_);
    reader_.emplace();
    Socket::Events events;
    const auto weak = weak_from_this();
    events.connected = [weak] {
      if (const auto self = weak.lock()) self->greet();
    };
    events.arrived = [weak](std::string_view bytes) {
      if (const auto self = weak.lock()) self->take(bytes);
    };
    events.failed = [weak](const std::string& why) {
      if (const auto self = weak.lock()) self->broken(why);
    };
    socket_->connect(options_, std::move(events));
  }

  void greet() {
    connected_ = true;
    pause_ = options_.first_pause;
    if (!options_.password.empty() && !options_.user.empty()) {
      send({"AUTH", options_.user, options_.password});
    } else if (!options_.password.empty()) {
      send({"AUTH", options_.password});
    }
    for (const auto& [channel, woken] : channels_) send({"SUBSCRIBE", channel});
  }

  void take(std::string_view bytes) {
    const auto self = shared_from_this();
    const auto socket = socket_;
    reader_->feed(bytes);
    while (socket == socket_ && !stopped_) {
      auto next = reader_->next();
      if (!next) return broken(next.error().detail);
      if (!next->complete) return;
      const auto& reply = next->reply;
      if (reply.is_error()) return broken(std::string(reply.text()));
      if (reply.size() != 3 || (reply[0].text() != "message" && reply[0].text() != "subscribe")) continue;
      const auto found = channels_.find(std::string(reply[1].text()));
      if (found == channels_.end()) continue;
      const auto woken = found->second;  // it may unsubscribe
      (*woken)();
    }
  }

  void broken(const std::string& why) {
    if (stopped_) return;
    log().debug("the connection to Redis that listens has ended: {}", why);
    connected_ = false;
    if (socket_) std::exchange(socket_, nullptr)->close();
    shard_.after(pause_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->connect();
    });
    pause_ = std::min(pause_ * 2, options_.longest_pause);
  }

  rt::Shard& shard_;
  const Options options_;
  Duration pause_;
  std::shared_ptr<Socket> socket_;
  std::optional<ReplyReader> reader_;
  std::map<std::string, std::shared_ptr<UniqueFunction<void()>>> channels_;
  bool connected_ = false;
  bool stopped_ = false;
};

Subscriber::Subscriber(rt::Shard& shard, Options options)
    : impl_(std::make_shared<Impl>(shard, std::move(options))) {}
Subscriber::~Subscriber() {
  impl_->stop();
}
void Subscriber::start() {
  impl_->start();
}
void Subscriber::stop() {
  impl_->stop();
}
void Subscriber::subscribe(const std::string& channel, UniqueFunction<void()> woken) {
  impl_->subscribe(channel, std::move(woken));
}
void Subscriber::unsubscribe(const std::string& channel) {
  impl_->unsubscribe(channel);
}
std::size_t Subscriber::channels() const {
  return impl_->channels();
}

}  // namespace doorbuster::redis
