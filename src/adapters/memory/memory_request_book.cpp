#include "adapters/memory/memory_request_book.hpp"

#include <algorithm>

namespace doorbuster {
namespace {

Error away() {
  return make_error(ErrorCode::unavailable, "the book of queued requests does not answer");
}

}  // namespace

void MemoryRequestBook::accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
                               Done<void> done) {
  if (!pages_->available) return done(away());
  const std::size_t now_pending = pages_->answers.size() - pages_->settled.size();
  if (now_pending + requests.size() > pages_->options.most_pending) {
    return done(make_error(ErrorCode::overloaded, "too many requests wait for their outcome; ask again"));
  }
  auto& owner = hear();
  for (auto& request : requests) owner.waiting.insert_or_assign(request.id, request);
  for (auto& answer : pending) pages_->answers.insert_or_assign(answer.id, RequestBookPages::Entry{answer});
  done({});
}

void MemoryRequestBook::settle(std::vector<RequestAnswer> outcomes, Done<void> done) {
  if (!pages_->available) return done(away());
  const Timestamp now = pages_->clock.now();
  for (auto& outcome : outcomes) {
    pages_->owners[name_].waiting.erase(outcome.id);
    auto& entry = pages_->answers[outcome.id];
    if (entry.settled) continue;
    pages_->settled.emplace_back(now, outcome.id);
    entry = {std::move(outcome), true};
  }
  while (!pages_->settled.empty() && (pages_->settled.size() > pages_->options.most_settled ||
                                      now - pages_->settled.front().first >= pages_->options.kept_for)) {
    pages_->answers.erase(pages_->settled.front().second);
    pages_->settled.pop_front();
  }
  done({});
}

void MemoryRequestBook::take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) {
  if (!pages_->available) return done(away());
  auto& own = hear();
  std::vector<QueuedRequest> taken;
  for (auto& [name, owner] : pages_->owners) {
    if (pages_->clock.now() - owner.heard < pages_->options.dead_after) continue;
    while (!owner.waiting.empty() && taken.size() < max) {
      auto node = owner.waiting.extract(owner.waiting.begin());
      taken.push_back(node.mapped());
      own.waiting.insert(std::move(node));
    }
  }
  std::stable_sort(taken.begin(), taken.end(),
                   [](const auto& a, const auto& b) { return a.accepted_at < b.accepted_at; });
  done(std::move(taken));
}

void MemoryRequestBook::find(std::string id, Done<std::optional<RequestAnswer>> done) {
  if (!pages_->available) return done(away());
  const auto found = pages_->answers.find(id);
  if (found == pages_->answers.end()) return done(std::optional<RequestAnswer>());
  done(std::optional(found->second.answer));
}

}  // namespace doorbuster
