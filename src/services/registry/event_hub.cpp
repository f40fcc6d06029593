#include "services/registry/event_hub.hpp"

#include <algorithm>
#include <deque>
#include <vector>

namespace doorbuster::registry {

/// What hub and listeners share: whoever is left last takes it away.
class EventHub::State {
 public:
  explicit State(const Options& the_options) : options(the_options) {}
  Options options;
  Stats stats;
  std::vector<Listener*> listeners;
  bool closed = false;
};

class EventHub::Listener final : public net::BodySource {
 public:
  Listener(std::shared_ptr<State> state, std::string greeting) : state_(std::move(state)) {
    state_->listeners.push_back(this);
    put(std::make_shared<const std::string>(std::move(greeting)));
  }
  ~Listener() override { std::erase(state_->listeners, this); }

  void next(Next done) override {
    done_ = std::move(done);
    deliver();
  }

  void put(SharedText event) {
    if (too_slow_) return;
    bytes_ += event->size();
    waiting_.push_back(std::move(event));
    if (bytes_ > state_->options.most_waiting_bytes) {
      too_slow_ = true;
      ++state_->stats.cut_off;
      waiting_.clear();
    }
    deliver();
  }

  /// Something has changed: is there anything to say, and somebody to say it to?
  void deliver() {
    if (!done_) return;
    if (too_slow_) {
      return std::exchange(done_, {})(make_error(ErrorCode::overloaded, "the listener is too slow"));
    }
    if (!waiting_.empty()) {
      std::string text;
      text.reserve(bytes_);
      for (const auto& event : waiting_) text += *event;
      waiting_.clear();
      bytes_ = 0;
      return std::exchange(done_, {})(std::optional<std::string>(std::move(text)));
    }
    if (state_->closed) std::exchange(done_, {})(std::optional<std::string>());
  }

 private:
  std::shared_ptr<State> state_;
  std::deque<SharedText> waiting_;
  std::size_t bytes_ = 0;
  bool too_slow_ = false;
  Next done_;
};

EventHub::EventHub(const Options& options) : state_(std::make_shared<State>(options)) {}

EventHub::~EventHub() {
  close();
}

std::unique_ptr<net::BodySource> EventHub::listen(std::string greeting) {
  if (state_->listeners.size() >= state_->options.most_listeners) return nullptr;
  return std::make_unique<Listener>(state_, std::move(greeting));
}

bool EventHub::anybody() const {
  return !state_->listeners.empty();
}

void EventHub::publish(SharedText event) {
  ++state_->stats.published;
  for (auto* listener : state_->listeners) listener->put(event);
}

void EventHub::close() {
  state_->closed = true;
  for (auto* listener : state_->listeners) listener->deliver();
}

EventHub::Stats EventHub::stats() const {
  auto stats = state_->stats;
  stats.listeners = state_->listeners.size();
  return stats;
}

std::string server_sent_event(std::string_view name, std::int64_t id, std::string_view data) {
  std::string event = "event: ";
  event += name;
  event += "\nid: ";
  event += std::to_string(id);
  event += "\ndata: ";
  event += data;
  event += "\n\n";
  return event;
}

}  // namespace doorbuster::registry
