#pragma once
// Memory for one pending Asio operation, inside the object that starts it: the operation's state lies beside
// the connection's, and no allocator is asked. Private to src/net.

#include <cstddef>
#include <new>

namespace doorbuster::net {

template <std::size_t Bytes>
class InPlaceMemory {
 public:
  InPlaceMemory() = default;
  InPlaceMemory(const InPlaceMemory&) = delete;
  InPlaceMemory& operator=(const InPlaceMemory&) = delete;

  void* allocate(std::size_t bytes) {
    if (used_ || bytes > Bytes) return ::operator new(bytes);
    used_ = true;
    return storage_;
  }
  void deallocate(void* memory) {
    if (memory == storage_) {
      used_ = false;
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::byte storage_[Bytes];
  bool used_ = false;
};

/// The allocator that Asio finds on a handler (get_associated_allocator).
template <class T, std::size_t Bytes>
class InPlaceAllocator {
 public:
  using value_type = T;
  template <class U>
  struct rebind {
    using other = InPlaceAllocator<U, Bytes>;
  };

  explicit InPlaceAllocator(InPlaceMemory<Bytes>& memory) : memory_(&memory) {}
  template <class U>
  InPlaceAllocator(const InPlaceAllocator<U, Bytes>& other)
      : memory_(other.memory_) {}  // NOLINT: as allocators do

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) { memory_->deallocate(memory); }
  friend bool operator==(const InPlaceAllocator& a, const InPlaceAllocator& b) {
    return a.memory_ == b.memory_;
  }

 private:
  template <class, std::size_t>
  friend class InPlaceAllocator;
  InPlaceMemory<Bytes>* memory_;
};

}  // namespace doorbuster::net
