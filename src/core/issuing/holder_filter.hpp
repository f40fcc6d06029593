#pragma once
// Who may hold a coupon? Says "no" only when the user is not in it. For instances that answer "sold out"
// without asking the ledger (consistency.md rule 5).
//
// A Bloom filter whose bits for one key lie in one block of 32 bytes, so that a question touches one cache
// line: F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007, section 3,
// with the eight odd multipliers of Apache Parquet's split block filter
// (https://parquet.apache.org/docs/file-format/bloomfilter/). With 16 bits a key (2 MB a million) one absent
// user in about 1,000 is taken for a holder and goes to the ledger (measured: holder_filter_test.cpp).
//
// The hash is keyed: users cannot choose ids that are taken for holders. One thread; read by several when
// nobody adds.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace doorbuster {

class HolderFilter {
 public:
  static constexpr std::size_t kBitsPerHolder = 16;

  /// \param holders that will be added; more are taken in at a higher rate of false positives
  /// \param key of the hash, drawn at random by process
  HolderFilter(std::uint64_t holders, std::uint64_t key);

  void add(const UserId& user);
  bool may_hold(const UserId& user) const;
  std::size_t memory_bytes() const { return blocks_.capacity() * sizeof(Block); }
  static std::size_t bytes_for(std::uint64_t holders);

 private:
  struct Block {
    std::array<std::uint32_t, 8> words{};
  };
  std::uint64_t hash_of(const UserId& user) const;
  std::size_t block_of(std::uint64_t hash) const;

  std::vector<Block> blocks_;
  std::uint64_t key_;
};

}  // namespace doorbuster
