#pragma once
// Calls a port and waits for its completion.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "ports/campaign_catalog.hpp"
#include "ports/event_log.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::test {

/// Runs `call(done)` and turns of `executor` until done(Result<T>) was called.
/// \returns its result; `internal` when nobody answered
template <class T, class Call>
Result<T> await(ManualExecutor& executor, Call call) {
  // Kept beyond this call: a late completion may still come.
  auto answer = std::make_shared<std::optional<Result<T>>>();
  call([answer](Result<T> result) {
    EXPECT_FALSE(answer->has_value()) << "answered twice";
    answer->emplace(std::move(result));
  });
  if (!executor.wait_until([&] { return answer->has_value(); })) {
    return make_error(ErrorCode::internal, "the completion was never called");
  }
  return **answer;
}

inline Result<void> append(EventLog& log, ManualExecutor& executor, std::vector<CouponIssued> events) {
  return await<void>(executor, [&](auto done) { log.append(std::move(events), executor, std::move(done)); });
}
inline Result<void> put(CampaignCatalog& catalog, ManualExecutor& executor,
                        const CampaignDefinition& definition) {
  return await<void>(executor, [&](auto done) { catalog.put(definition, executor, std::move(done)); });
}
inline Result<std::optional<CampaignDefinition>> get(CampaignCatalog& catalog, ManualExecutor& executor,
                                                     const CampaignId& id) {
  return await<std::optional<CampaignDefinition>>(
      executor, [&](auto done) { catalog.get(id, executor, std::move(done)); });
}
inline Result<std::vector<CampaignDefinition>> list(CampaignCatalog& catalog, ManualExecutor& executor) {
  return await<std::vector<CampaignDefinition>>(executor,
                                                [&](auto done) { catalog.list(executor, std::move(done)); });
}

}  // namespace doorbuster::test
