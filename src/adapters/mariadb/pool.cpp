#include "adapters/mariadb/pool.hpp"

#include <fmt/format.h>

namespace doorbuster::mariadb {

Result<Pool::Lease> Pool::take() {
  {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_for(lock, options_.patience,
                            [this] { return in_use_ < options_.most_connections; })) {
      return make_error(ErrorCode::overloaded, fmt::format("all {} connections to the database are in use",
                                                           options_.most_connections));
    }
    ++in_use_;
    if (auto kept = take_idle()) return Lease(*this, std::move(kept));
  }
  auto made = Connection::open(options_.server, options_.access);
  {
    std::lock_guard lock(mutex_);
    reachable_ = made.has_value();
  }
  if (!made) {
    leave();
    return made.error();
  }
  return Lease(*this, std::move(*made));
}

std::unique_ptr<Connection> Pool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->seems_alive()) return connection;
  }
  return nullptr;
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  connection->rollback();
  {
    std::lock_guard lock(mutex_);
    if (!connection->lost()) idle_.push_back(std::move(connection));
  }
  leave();
}

void Pool::leave() {
  {
    std::lock_guard lock(mutex_);
    --in_use_;
  }
  returned_.notify_one();
}

std::size_t Pool::idle() const {
  std::lock_guard lock(mutex_);
  return idle_.size();
}

bool Pool::reachable() const {
  std::lock_guard lock(mutex_);
  return reachable_;
}

}  // namespace doorbuster::mariadb
