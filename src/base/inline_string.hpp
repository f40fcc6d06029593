#pragma once
// A short string held in place: ids travel in batches by value, without an allocation each.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace doorbuster {

template <std::size_t Capacity>
class InlineString {
  static_assert(Capacity < 256);

 public:
  static constexpr std::size_t kCapacity = Capacity;
  InlineString() = default;
  /// \pre text.size() <= Capacity
  explicit InlineString(std::string_view text) : size_(static_cast<std::uint8_t>(text.size())) {
    if (!text.empty()) std::memcpy(data_, text.data(), text.size());
  }
  InlineString(const InlineString& other) : size_(other.size_) { std::memcpy(data_, other.data_, size_); }
  InlineString& operator=(const InlineString& other) {
    size_ = other.size_;
    std::memmove(data_, other.data_, size_);
    return *this;
  }

  std::string_view view() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const InlineString& a, const InlineString& b) { return a.view() == b.view(); }
  friend auto operator<=>(const InlineString& a, const InlineString& b) { return a.view() <=> b.view(); }

 private:
  std::uint8_t size_ = 0;
  char data_[Capacity];
};

}  // namespace doorbuster
