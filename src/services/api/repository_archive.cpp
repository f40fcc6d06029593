#include "services/api/repository_archive.hpp"

#include <utility>

namespace doorbuster::api {
namespace {

/// Whatever has failed: nothing is known, ask again. A damaged row, too, must not become a refusal.
template <class T>
Result<T> or_unavailable(Result<T> found) {
  if (found || traits(found.error().code).retry == Retry::later) return found;
  return make_error(ErrorCode::unavailable, std::move(found).error().detail);
}

}  // namespace

void RepositoryArchive::find(CampaignId campaign, UserId user, Done<std::optional<StoredCoupon>> done) {
  using Found = std::optional<StoredCoupon>;
  if (*finds_ >= most_finds_) {
    return done(make_error(ErrorCode::overloaded, "too many holders of ended campaigns ask at once"));
  }
  ++*finds_;
  offload_.run<Found>(
      executor_, [&repository = repository_, campaign, user] { return repository.find(campaign, user); },
      [finds = finds_, done = std::move(done)](Result<Found> found) mutable {
        --*finds;
        done(or_unavailable(std::move(found)));
      });
}

void RepositoryArchive::list(CampaignId campaign, std::uint64_t after, std::size_t max,
                             Done<std::vector<StoredCoupon>> done) {
  using Page = std::vector<StoredCoupon>;
  offload_.run<Page>(
      executor_,
      [&repository = repository_, campaign, after, max] { return repository.list(campaign, after, max); },
      [done = std::move(done)](Result<Page> page) mutable { done(or_unavailable(std::move(page))); });
}

}  // namespace doorbuster::api
