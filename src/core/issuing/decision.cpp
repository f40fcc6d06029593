#include "core/issuing/decision.hpp"

namespace doorbuster {

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::issued:
      return "issued";
    case Outcome::already_issued:
      return "already_issued";
    case Outcome::sold_out:
      return "sold_out";
    case Outcome::not_started:
      return "not_started";
    case Outcome::paused:
      return "paused";
    case Outcome::ended:
      return "ended";
    case Outcome::unknown_campaign:
      return "unknown_campaign";
    case Outcome::held:
      return "held";
    case Outcome::closed:
      return "closed";
    case Outcome::unloaded:
      return "unloaded";
  }
  return "unknown";
}

}  // namespace doorbuster
