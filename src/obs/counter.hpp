#pragma once
// A count with one writer and any number of readers.

#include <atomic>
#include <cstdint>

namespace doorbuster::obs {

/// add() belongs to the owner's thread; value() may be read from any. Costs as much as a plain integer.
class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    // One writer: a load and a store, without the locked instruction of fetch_add.
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace doorbuster::obs
