#include "adapters/sqlite/checkpointer.hpp"

#include <pthread.h>

#include "adapters/sqlite/database.hpp"

namespace doorbuster::sqlite {

Checkpointer::Checkpointer(std::string path, std::string vfs, UniqueFunction<void(const Error&)> on_failure)
    : path_(std::move(path)), vfs_(std::move(vfs)), on_failure_(std::move(on_failure)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "checkpoint");
    work();
  });
}

Checkpointer::~Checkpointer() {
  stop();
}

void Checkpointer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::request() {
  {
    std::lock_guard lock(mutex_);
    requested_ = true;
    busy_.store(true, std::memory_order_release);
  }
  changed_.notify_one();
}

void Checkpointer::work() {
  Database database;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      busy_.store(requested_, std::memory_order_release);
      changed_.wait(lock, [this] { return requested_ || stopping_; });
      if (stopping_) return;
      requested_ = false;
    }
    if (!database.is_open()) {
      auto opened = Database::open(path_, OpenMode::read_write, vfs_);
      if (!opened) {
        on_failure_(opened.error());
        continue;
      }
      database = std::move(*opened);
    }
    auto done = database.checkpoint();
    if (done) {
      completed_.fetch_add(1, std::memory_order_relaxed);
    } else {
      // Pages whose sync failed are copied again from the log by the next checkpoint, through a new
      // connection.
      drop_page_cache(path_);
      database.close();
      on_failure_(done.error());
    }
  }
}

}  // namespace doorbuster::sqlite
