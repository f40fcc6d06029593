#pragma once
// The ledger of a running api, read by its admin endpoints
//   GET /v1/admin/campaigns/{id}/ledger?after=N&limit=M
// one JSON object a line: sequence, user_id, code, decided_at, pending, refilled, epoch, revision; and
//   GET /v1/admin/campaigns/{id}/ledger/missing
// {"missing":[{"first":4,"last":6}]}.

#include <string>

#include "base/unique_function.hpp"
#include "services/audit/audit_input.hpp"

namespace doorbuster::audit {

/// Reads one line. \returns malformed, invalid naming the field
Result<LedgerHolder> parse_holder(std::string_view line);

/// Reads the answer about missing numbers. \returns malformed, invalid naming the field
Result<std::vector<NumberRange>> parse_missing(std::string_view body);

class LedgerPages final : public HolderSource {
 public:
  /// Answers a GET of `target` with the body of a 200. \returns unavailable, not_found, ...
  using Get = UniqueFunction<Result<std::string>(const std::string& target)>;
  LedgerPages(const CampaignId& campaign, Get get) : campaign_(campaign), get_(std::move(get)) {}
  /// \returns what `get` returns, malformed; corrupt when numbers do not ascend (the reading would not end)
  Result<std::vector<LedgerHolder>> next(std::size_t max) override;
  Result<std::vector<NumberRange>> missing() override;

 private:
  CampaignId campaign_;
  Get get_;
  std::uint64_t after_ = 0;
};

}  // namespace doorbuster::audit
