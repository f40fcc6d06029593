#pragma once
// An event log without a disk, for tests and simulations: it knows what is written and what is safe, and does
// on request what disks do: take long, fail, forget what was not synced.
//
// Invariants
//  1. Records up to end() are safe: read() gives them and crash() keeps them.
//  2. Each append is answered once, on its executor, unless crash() came first.
//
// Thread-safe.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "ports/event_log.hpp"

namespace doorbuster {

class MemoryEventLog final : public EventLog, public EventSource {
 public:
  /// \param most_waiting appends may wait for a sync; another one is refused as overloaded
  explicit MemoryEventLog(std::size_t most_waiting = 1024) : most_waiting_(most_waiting) {}

  void append(std::vector<CouponIssued> events, Executor& on, Appended done) override;
  bool accepting() const override;

  Result<std::vector<LogRecord>> read(LogPosition after, std::size_t max) override;
  Result<LogPosition> end() override;
  void wait(LogPosition after, Duration timeout) override;

  /// As append(), for any events, if `admit(written)` says so at that moment; `written` has the unsynced
  /// tail.
  using Admit = std::function<Result<void>(const std::vector<Event>& written)>;
  void append_if(const Admit& admit, std::vector<Event> events, Executor& on, Appended done);

  /// While held, appends are written and wait; sync() or release() makes them safe. Not held at first.
  void hold();
  void release();
  /// Makes everything that is written safe and answers. \returns the number of appends answered
  std::size_t sync();
  /// A sync fails: everything that waits is told `unknown_outcome`, and what was written stays or is lost.
  void fail_sync(bool keep_written);
  /// The next append is refused with `code` and not written.
  void refuse_next(ErrorCode code);
  /// Whether appends are taken; while closed they are refused as unavailable.
  void set_open(bool open);
  /// The process dies: what is not safe is gone, and nobody is answered.
  void crash();

  std::size_t waiting() const;

 private:
  struct Waiting {
    Executor* on;
    Appended done;
  };
  static void answer(Waiting waiting, Result<void> result);
  std::vector<Waiting> make_safe();  // mutex_ is held

  const std::size_t most_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  std::vector<Event> written_;  // position = index + 1
  std::size_t safe_ = 0;
  std::vector<Waiting> waiting_;
  bool held_ = false;
  bool open_ = true;
  std::optional<ErrorCode> refusal_;
};

}  // namespace doorbuster
