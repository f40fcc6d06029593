#include "services/worker/worker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace doorbuster::worker {

Result<std::size_t> Worker::step() {
  if (!position_known_) {
    auto stored = store_.stored_through();
    if (!stored) return failed(stored.error());
    auto end = source_.end();
    if (!end) return failed(end.error());
    if (*stored > *end) {
      return failed(
          make_error(ErrorCode::corrupt,
                     fmt::format("the repository holds the log up to position {}, but the log ends at {}: "
                                 "the log has lost its tail",
                                 *stored, *end)));
    }
    position_ = *stored;
    position_known_ = true;
  }
  auto records = source_.read(position_, batch_);
  if (!records) return failed(records.error());
  const bool full = records->size() == batch_;
  if (!records->empty()) {
#ifdef DOORBUSTER_PLANT_OFFSET_BEFORE_ROW
    // Planted for the simulator, which must find it: the position moves on before the rows are safe.
    position_ = records->back().position;
    if (auto stored = store_.store(*records); !stored) {
      (void)failed(stored.error());
      position_known_ = true;
      return stored.error();
    }
#else
    if (auto stored = store_.store(*records); !stored) return failed(stored.error());
    position_ = records->back().position;
#endif
  }
  batch_ = std::min(options_.batch, batch_ * 2);
  // A recovery may send everybody back to the log's start while this one waits at its end.
  constexpr unsigned kIdleSteps = 10;
  idle_steps_ = records->empty() ? idle_steps_ + 1 : 0;
  if (idle_steps_ >= kIdleSteps) {
    idle_steps_ = 0;
    position_known_ = false;
  }
  // A batch that was not full has seen the end; else the log says how far there is to go.
  LogPosition end = position_;
  if (full) {
    if (auto last = source_.end()) end = std::max(end, *last);
  }
  std::lock_guard lock(mutex_);
  stats_.records += records->size();
  if (!records->empty()) ++stats_.batches;
  stats_.position = position_;
  stats_.log_end = end;
  stats_.last_error.clear();
  return records->size();
}

Result<std::size_t> Worker::failed(const Error& error) {
  position_known_ = false;
  batch_ = std::max<std::size_t>(1, batch_ / 2);
  std::lock_guard lock(mutex_);
  ++stats_.failures;
  stats_.last_error = error.detail;
  return error;
}

WorkerStats Worker::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace doorbuster::worker
