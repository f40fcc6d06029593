#pragma once
// What is not in the repository may only be late: the worker is behind the log by some milliseconds, and a
// coupon that its holder was told of must never be answered 404 (consistency.md, "Reading").

#include "services/api/api_context.hpp"

namespace doorbuster::api {

/// Runs `look` on a look-up thread. `missed(result)` says whether it found nothing; then, unless the worker
/// has caught up with the log, the answer is not_ready. Had it caught up, it may have done so after the first
/// look: what the second look misses is not there.
template <class T, class Look, class Missed>
Result<T> look_until_certain(const ApiContext& context, Look look, Missed missed) {
  auto first = look();
  if (!missed(first) || !context.options.worker_caught_up) return first;
  const auto caught_up = context.options.worker_caught_up();
  if (!caught_up) return caught_up.error();
  if (!*caught_up) {
    return make_error(ErrorCode::not_ready, "the worker has not stored everything yet; ask again");
  }
  return look();
}

}  // namespace doorbuster::api
