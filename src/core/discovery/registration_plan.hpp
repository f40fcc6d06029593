#pragma once
// What an instance has to tell its registry next: register, renew, change its status, take its leave.
//
//   plan.next() ──▶ call, and when ──▶ send it, plan.sent(call) ──▶ plan.answered(call, status code, now) ──▶
//   plan.next() ...
//
// Notes on Eureka that shape it:
// - A registration that says OUT_OF_SERVICE over one that is UP is not believed, nor the other way round
//   (AbstractInstanceRegistry, rules of overridden status); only an override brings an instance there, and
//   only its removal back.
// - 404 to a renewal means "I do not know you": register at once. Anything but 200 and 404 is a failure of
// the
//   server, and the next one is asked.
//
// One thread.

#include <optional>

#include "core/discovery/instance_table.hpp"

namespace doorbuster::discovery {

class RegistrationPlan {
 public:
  enum class Call : std::uint8_t { enroll, renew, set_override, drop_override, cancel };
  struct Step {
    Call call = Call::enroll;
    Moment due{};
  };
  /// No answer came.
  static constexpr int kNoAnswer = 0;

  RegistrationPlan(leases::InstanceStatus status, Duration renew_every, Moment now)
      : status_(status), renew_every_(renew_every), next_renewal_(now) {}

  void set_status(leases::InstanceStatus status);
  void withdraw() { withdrawing_ = true; }

  /// nullopt: nothing is left to say, ever (withdrawn).
  std::optional<Step> next() const;
  /// The call is on its way; the status may change before it is answered.
  void sent(Call call);
  /// \param http_status of the answer. \returns whether the server did what it is there for; false: ask
  /// another
  bool answered(Call call, int http_status, Moment now);

  /// To be put into a registration: what the registry believes.
  leases::InstanceStatus status_to_enroll() const;
  leases::InstanceStatus status() const { return status_; }
  bool registered() const { return registered_; }
  bool withdrawn() const { return withdrawn_; }

 private:
  leases::InstanceStatus status_;
  leases::InstanceStatus sent_status_ = leases::InstanceStatus::unknown;
  leases::InstanceStatus enrolled_status_ = leases::InstanceStatus::unknown;  // as the registry took it
  Duration renew_every_;
  Moment next_renewal_;
  bool registered_ = false;
  bool overridden_ = false;
  bool withdrawing_ = false;
  bool withdrawn_ = false;
};

}  // namespace doorbuster::discovery
