#include "core/discovery/registration_plan.hpp"

namespace doorbuster::discovery {
namespace {

constexpr int kNotFound = 404;

bool succeeded(int http_status) {
  return http_status / 100 == 2;
}

}  // namespace

void RegistrationPlan::set_status(leases::InstanceStatus status) {
  status_ = status;
}

void RegistrationPlan::sent(Call call) {
  if (call == Call::enroll) sent_status_ = status_to_enroll();
}

leases::InstanceStatus RegistrationPlan::status_to_enroll() const {
  return status_ == leases::InstanceStatus::out_of_service ? leases::InstanceStatus::up : status_;
}

std::optional<RegistrationPlan::Step> RegistrationPlan::next() const {
  if (withdrawn_) return std::nullopt;
  if (withdrawing_) return Step{Call::cancel, {}};
  if (!registered_ || enrolled_status_ != status_to_enroll()) return Step{Call::enroll, {}};
  const bool wants_override = status_ == leases::InstanceStatus::out_of_service;
  if (wants_override && !overridden_) return Step{Call::set_override, {}};
  if (!wants_override && overridden_) return Step{Call::drop_override, {}};
  return Step{Call::renew, next_renewal_};
}

bool RegistrationPlan::answered(Call call, int http_status, Moment now) {
  const bool good = succeeded(http_status);
  if (call == Call::cancel) {
    // Not known there is as good as gone.
    withdrawn_ = good || http_status == kNotFound;
    return withdrawn_;
  }
  if (call != Call::enroll && http_status == kNotFound) {
    registered_ = overridden_ = false;
    return true;
  }
  if (!good) return false;
  switch (call) {
    case Call::enroll:
      registered_ = true;
      enrolled_status_ = sent_status_;
      next_renewal_ = now + renew_every_;
      break;
    case Call::renew:
      next_renewal_ = now + renew_every_;
      break;
    case Call::set_override:
      overridden_ = true;
      break;
    case Call::drop_override:
      overridden_ = false;
      break;
    case Call::cancel:
      break;
  }
  return true;
}

}  // namespace doorbuster::discovery
