#include "services/audit/coupon_index.hpp"

#include <cstring>
#include <functional>

namespace doorbuster::audit {
namespace {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): spreads consecutive numbers over the table.
std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t code_hash(const CouponCode& code) {
  std::uint64_t head = 0;
  std::memcpy(&head, code.bytes().data(), sizeof head);
  std::uint16_t tail = 0;
  std::memcpy(&tail, code.bytes().data() + sizeof head, sizeof tail);
  return spread(head ^ tail);
}

}  // namespace

std::uint64_t user_key(const UserId& user) {
  if (const auto number = user.integer()) return *number;
  return std::hash<std::string_view>{}(user.text()) | (std::uint64_t{1} << 63);
}

template <class Key, class Get>
std::uint32_t* CouponIndex::slot(Table& table, std::uint64_t hash, const Key& key, Get get) {
  const std::size_t mask = table.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    if (table[i] == 0 || get(entries_[table[i] - 1]) == key) return &table[i];
  }
}

void CouponIndex::insert(std::uint32_t place) {
  const auto& entry = entries_[place];
  for (auto* found :
       {slot(users_, spread(entry.user), entry.user, [](const auto& e) { return e.user; }),
        slot(sequences_, spread(entry.sequence), entry.sequence, [](const auto& e) { return e.sequence; }),
        slot(codes_, code_hash(entry.code), entry.code, [](const auto& e) { return e.code; })}) {
    if (*found == 0) *found = place + 1;
  }
}

void CouponIndex::grow() {
  const std::size_t slots = users_.empty() ? 1024 : users_.size() * 2;
  for (auto* table : {&users_, &sequences_, &codes_}) table->assign(slots, 0);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) insert(i);
}

void CouponIndex::add(const IndexedCoupon& coupon) {
  if ((entries_.size() + 1) * 4 > users_.size() * 3) grow();
  entries_.push_back(coupon);
  insert(static_cast<std::uint32_t>(entries_.size() - 1));
}

IndexedCoupon* CouponIndex::by_user(std::uint64_t user) {
  if (users_.empty()) return nullptr;
  const auto place = *slot(users_, spread(user), user, [](const auto& e) { return e.user; });
  return place == 0 ? nullptr : &entries_[place - 1];
}

IndexedCoupon* CouponIndex::by_sequence(std::uint64_t sequence) {
  if (sequences_.empty()) return nullptr;
  const auto place = *slot(sequences_, spread(sequence), sequence, [](const auto& e) { return e.sequence; });
  return place == 0 ? nullptr : &entries_[place - 1];
}

IndexedCoupon* CouponIndex::by_code(const CouponCode& code) {
  if (codes_.empty()) return nullptr;
  const auto place = *slot(codes_, code_hash(code), code, [](const auto& e) { return e.code; });
  return place == 0 ? nullptr : &entries_[place - 1];
}

}  // namespace doorbuster::audit
