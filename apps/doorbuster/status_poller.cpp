#include "apps/doorbuster/status_poller.hpp"

#include <pthread.h>

#include <array>
#include <charconv>
#include <utility>

namespace doorbuster {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 1s;
constexpr auto kPause = 1s;
constexpr auto kPauseWhileStarting = 50ms;

/// The sum over its labels; nullopt when there is no such metric.
std::optional<std::uint64_t> sum_of(std::string_view metrics, std::string_view name) {
  std::optional<std::uint64_t> sum;
  while (!metrics.empty()) {
    const auto line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
    if (line.substr(0, name.size()) != name || line.size() == name.size()) continue;
    if (line[name.size()] != ' ' && line[name.size()] != '{') continue;
    double value = 0;
    const auto text = line.substr(line.rfind(' ') + 1);
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) continue;
    sum = sum.value_or(0) + static_cast<std::uint64_t>(value);
  }
  return sum;
}

}  // namespace

std::optional<std::uint64_t> served_requests(std::string_view metrics) {
  constexpr std::array<std::string_view, 3> names = {"doorbuster_http_requests_total",
                                                     "doorbuster_gateway_replies_total",
                                                     "doorbuster_registry_requests_total"};
  for (const auto name : names) {
    if (const auto sum = sum_of(metrics, name)) return sum;
  }
  return std::nullopt;
}

StatusPoller::StatusPoller(std::vector<Target> targets, bool with_numbers)
    : targets_(std::move(targets)),
      with_numbers_(with_numbers),
      statuses_(targets_.size()),
      forgotten_(targets_.size()) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "status");
    work();
  });
}

StatusPoller::~StatusPoller() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

StatusPoller::Status StatusPoller::status(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return statuses_[index];
}

void StatusPoller::forget(std::size_t index) {
  {
    const std::lock_guard lock(mutex_);
    statuses_[index] = {};
    ++forgotten_[index];
  }
  changed_.notify_all();
}

StatusPoller::Status StatusPoller::ask(const Target& target) const {
  Status status;
  net::HttpClient client(target.url, {}, kTimeout);
  const auto answer = client.exchange("GET", target.ready_path);
  status.ready = answer && answer->status < 500;
  if (status.ready && with_numbers_) {
    const auto metrics = client.exchange("GET", "/metrics");
    if (metrics && metrics->status == 200) status.requests = served_requests(metrics->body);
  }
  status.taken = std::chrono::steady_clock::now();
  return status;
}

void StatusPoller::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    bool all_ready = true;
    for (std::size_t i = 0; i < targets_.size() && !stopping_; ++i) {
      const auto generation = forgotten_[i];
      lock.unlock();
      const auto status = ask(targets_[i]);
      lock.lock();
      if (generation == forgotten_[i]) statuses_[i] = status;
      all_ready = all_ready && statuses_[i].ready;
    }
    if (stopping_) return;
    changed_.wait_for(lock, all_ready ? std::chrono::milliseconds(kPause) : kPauseWhileStarting);
  }
}

}  // namespace doorbuster
