#pragma once
// The answers that everybody asks for, as bytes: all apps, and the delta, in JSON and XML, plain and packed.
// Made when they are asked for and something has changed; of the full one, only the pages that have changed.
//
// Invariants
//  1. Contents, version and hash code of an answer are of one moment: they are put together in one call.
//  2. What is asked for after a change shows it, unless the last making took longer than kQuickly: then
//  makings
//     take at most a fifth of the time, and answers may be four makings old.
//
// One thread.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "core/leases/lease_table.hpp"
#include "proto/eureka/codec.hpp"
#include "services/registry/gzip.hpp"
#include "services/registry/rope.hpp"

namespace doorbuster::registry {

class Views {
 public:
  enum class Kind : std::uint8_t { full, delta };
  static constexpr Duration kQuickly = std::chrono::milliseconds(1);

  /// \param stopwatch measures how long a making takes
  Views(const leases::LeaseTable& table, Clock& stopwatch) : table_(table), stopwatch_(stopwatch) {}

  SharedRope get(Kind kind, eureka::Format format, bool gzip);
  /// How often something was made.
  std::uint64_t made() const { return made_; }

 private:
  /// A run of instances of one app, written out.
  struct Page {
    std::int64_t version = -1;
    std::uint8_t place = 0;  // first of all, first or last of its app: what is written around it
    SharedText plain;
    GzipPiece packed;  // made when it is first asked for
  };
  struct View {
    SharedRope rope;
    std::int64_t version = -1;
    Timestamp made_at;
    Duration took{};
  };
  using AppPages = std::map<std::string, std::vector<Page>, std::less<>>;

  SharedRope make_full(eureka::Format format, bool gzip);
  SharedRope make_delta(eureka::Format format, bool gzip) const;
  static void write_page(const leases::App& app, std::size_t number, eureka::Format format, Page& page);

  const leases::LeaseTable& table_;
  Clock& stopwatch_;
  std::array<AppPages, 2> pages_;                            // by format
  std::array<std::array<std::array<View, 2>, 2>, 2> views_;  // by kind, format, gzip
  std::uint64_t made_ = 0;
};

}  // namespace doorbuster::registry
