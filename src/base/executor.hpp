#pragma once
// Where a completion runs. Services and adapters name this instead of an event loop, so that the simulator
// can put its own scheduler here.

#include "base/clock.hpp"
#include "base/unique_function.hpp"

namespace doorbuster {

using Work = UniqueFunction<void()>;

/// One thread of control. post() may be called from any thread; everything else only on its own.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `work` on this executor's thread, later than the caller's current turn. Any thread.
  virtual void post(Work work) = 0;
  /// Runs `work` at the end of the current turn: after everything that has already become ready (the requests
  /// read together) has been handled, before the loop waits again. Own thread only.
  virtual void defer(Work work) = 0;
  /// Runs `work` once after `delay`; it cannot be cancelled, so `work` guards its own lifetime. Own thread
  /// only.
  virtual void after(Duration delay, Work work) = 0;
};

}  // namespace doorbuster
