#pragma once
// A move-only std::function: completions own what they answer to (std::move_only_function is C++23).

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace doorbuster {

template <class Signature>
class UniqueFunction;

/// Holds callables of up to 48 bytes in place, larger ones on the heap. Calling an empty one ends the
/// program.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
  static constexpr std::size_t kInPlaceBytes = 48;

  struct Operations {
    R (*call)(void* self, Args... args);
    void (*move)(void* from, void* to) noexcept;  // leaves `from` destroyed
    void (*destroy)(void* self) noexcept;
  };

  template <class F>
  static constexpr bool fits_in_place =
      sizeof(F) <= kInPlaceBytes &&
      alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static constexpr Operations kInPlace = {
      [](void* self, Args... args) -> R { return (*static_cast<F*>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* self) noexcept { static_cast<F*>(self)->~F(); }};

  template <class F>
  static constexpr Operations kOnHeap = {
      [](void* self, Args... args) -> R { return (**static_cast<F**>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { *static_cast<F**>(to) = *static_cast<F**>(from); },
      [](void* self) noexcept { delete *static_cast<F**>(self); }};

 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT: as std::function
  template <class F, class D = std::decay_t<F>>
  requires(!std::is_same_v<D, UniqueFunction> && std::is_invocable_r_v<R, D&, Args...>)
      UniqueFunction(F&& callable) {  // NOLINT: as std::function
    if constexpr (fits_in_place<D>) {
      new (storage_) D(std::forward<F>(callable));
      operations_ = &kInPlace<D>;
    } else {
      *reinterpret_cast<D**>(storage_) = new D(std::forward<F>(callable));
      operations_ = &kOnHeap<D>;
    }
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  R operator()(Args... args) {
    DOORBUSTER_ASSERT(operations_ != nullptr);
    return operations_->call(storage_, std::forward<Args>(args)...);
  }
  explicit operator bool() const { return operations_ != nullptr; }

 private:
  void take(UniqueFunction& other) noexcept {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.storage_, storage_);
    operations_ = std::exchange(other.operations_, nullptr);
  }
  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

  alignas(std::max_align_t) std::byte storage_[kInPlaceBytes];
  const Operations* operations_ = nullptr;
};

}  // namespace doorbuster
