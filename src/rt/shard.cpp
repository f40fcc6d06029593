#include "rt/shard.hpp"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <memory>
#include <utility>

namespace doorbuster::rt {

namespace asio = boost::asio;

Shard::Shard(std::string name) : name_(std::move(name)) {}

Shard::~Shard() {
  DOORBUSTER_ASSERT(!thread_.joinable());
}

void Shard::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.c_str());
    context_.run();
  });
}

void Shard::stop() {
  DOORBUSTER_ASSERT(!on_this_thread());
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Shard::post(Work work) {
  asio::post(context_, [held = std::move(work)]() mutable { held(); });
}

void Shard::defer(Work work) {
  turn_end_.push_back(std::move(work));
  if (std::exchange(turn_end_posted_, true)) return;
  // The loop's queue is first in, first out, and epoll has put everything that was ready into it: a handler
  // posted now runs behind all of those, before the loop waits again.
  asio::post(context_, [this] { end_turn(); });
}

void Shard::end_turn() {
  turn_end_posted_ = false;
  // What is deferred from here on belongs to the next turn.
  auto due = std::exchange(turn_end_, {});
  for (auto& work : due) work();
  due.clear();
  if (turn_end_.empty()) turn_end_ = std::move(due);  // keeps the capacity
}

void Shard::after(Duration delay, Work work) {
  auto timer = std::make_unique<asio::steady_timer>(context_, delay);
  auto& waiting = *timer;
  waiting.async_wait(
      [held = std::move(timer), due = std::move(work)](boost::system::error_code error) mutable {
        if (!error) due();
      });
}

void Shard::run(Work work) {
  if (on_this_thread()) return work();
  std::promise<void> ran;
  post([&] {
    work();
    ran.set_value();
  });
  ran.get_future().wait();
}

}  // namespace doorbuster::rt
