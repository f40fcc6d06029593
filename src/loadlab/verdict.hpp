#pragma once
// What the client itself can see of the promises, from all coupons it was shown in a run.

#include <cstdint>
#include <string>
#include <vector>

#include "loadlab/tally.hpp"

namespace doorbuster::loadlab {

struct Verdict {
  std::uint64_t issued = 0;   ///< measured: distinct (user, code), seen first with 201 or 200
  std::uint64_t already = 0;  ///< measured: all further sightings
  std::uint64_t users_with_two_codes = 0;
  std::uint64_t codes_with_two_users = 0;
  std::uint64_t sequences_used_twice = 0;  ///< by different coupons
  std::uint64_t wrong_users = 0;           ///< replies with a coupon of another user
  std::uint64_t above_limit = 0;           ///< replies with a number over the campaign's limit
  /// How far the numbers are from the order of arrival, as a client can prove it: the number of pairs of
  /// requests where one was answered (201) before the other was sent (and answered 201), and yet got the
  /// higher number. Requests whose times overlap prove nothing, and neither does a 200, whose number was
  /// given to an earlier request.
  std::uint64_t order_inversions = 0;
  std::vector<std::string> examples;  ///< of broken invariants: at most a few lines to begin a search with

  bool broken() const {
    return users_with_two_codes + codes_with_two_users + sequences_used_twice + wrong_users + above_limit !=
           0;
  }
};

/// Takes O(n log n) for n sightings. Also settles who counts as issued: moves counts between `issued` and
/// `already` in the tally's outcomes and seconds where the first sighting was a 200 or a further one a 201.
Verdict judge(Tally& tally, const Window& window);

/// Adds what can be said when the campaign's limit is known: the highest that held during the run.
void check_limit(const Tally& tally, std::uint64_t limit, Verdict& verdict);

/// The count that Verdict::order_inversions describes. O(n log n).
std::uint64_t count_order_inversions(const std::vector<Sighting>& sightings);

}  // namespace doorbuster::loadlab
