#include "services/audit/ledger_pages.hpp"

#include <fmt/format.h>

#include "services/audit/json_fields.hpp"

namespace doorbuster::audit {

Result<LedgerHolder> parse_holder(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return object.error();
  const auto sequence = number_field(*object, "sequence");
  const auto user = id_field(*object, "user_id");
  const auto code = code_field(*object, "code");
  const auto decided = time_field(*object, "decided_at");
  const auto pending = bool_field(*object, "pending");
  const auto refilled = bool_field(*object, "refilled");
  const auto epoch = number_field(*object, "epoch");
  const auto revision = number_field(*object, "revision");
  if (!sequence) return sequence.error();
  if (!user) return user.error();
  if (!code) return code.error();
  if (!decided) return decided.error();
  if (!pending) return pending.error();
  if (!refilled) return refilled.error();
  if (!epoch) return epoch.error();
  if (!revision) return revision.error();
  if (!*sequence) return missing_field("sequence");
  if (!*user) return missing_field("user_id");
  if (!*code) return missing_field("code");
  if (!*decided) return missing_field("decided_at");
  const auto id = UserId::parse(**user);
  if (!id) return id.error();
  LedgerHolder holder;
  holder.coupon = {*id, **sequence, **code, **decided};
  holder.pending = pending->value_or(false);
  holder.refilled = refilled->value_or(false);
  holder.epoch = static_cast<std::uint32_t>(epoch->value_or(1));
  holder.revision = static_cast<std::uint32_t>(revision->value_or(1));
  return holder;
}

Result<std::vector<NumberRange>> parse_missing(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  const auto* list = object->if_contains("missing");
  if (list == nullptr) return missing_field("missing");
  if (!list->is_array()) return make_error(ErrorCode::invalid, "missing is a list of ranges", "missing");
  std::vector<NumberRange> ranges;
  for (const auto& entry : list->get_array()) {
    if (!entry.is_object()) return make_error(ErrorCode::invalid, "missing is a list of ranges", "missing");
    const auto first = number_field(entry.get_object(), "first");
    const auto last = number_field(entry.get_object(), "last");
    if (!first) return first.error();
    if (!last) return last.error();
    if (!*first) return missing_field("first");
    if (!*last) return missing_field("last");
    ranges.push_back({**first, **last});
  }
  return ranges;
}

Result<std::vector<NumberRange>> LedgerPages::missing() {
  const auto body = get_(fmt::format("/v1/admin/campaigns/{}/ledger/missing", campaign_.text()));
  if (!body) return body.error();
  auto ranges = parse_missing(*body);
  if (ranges) return ranges;
  auto error = ranges.error();
  error.detail = "the ledger's answer: " + error.detail;
  return error;
}

Result<std::vector<LedgerHolder>> LedgerPages::next(std::size_t max) {
  const auto body =
      get_(fmt::format("/v1/admin/campaigns/{}/ledger?after={}&limit={}", campaign_.text(), after_, max));
  if (!body) return body.error();
  std::vector<LedgerHolder> page;
  for (std::string_view rest = *body; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    auto holder = parse_holder(line);
    if (!holder) {
      auto error = holder.error();
      error.detail = "the ledger's answer: " + error.detail;
      return error;
    }
    if (holder->coupon.sequence <= after_) {
      return make_error(ErrorCode::corrupt, fmt::format("the ledger's answer: number {} follows number {}",
                                                        holder->coupon.sequence, after_));
    }
    after_ = holder->coupon.sequence;
    page.push_back(std::move(*holder));
  }
  return page;
}

}  // namespace doorbuster::audit
