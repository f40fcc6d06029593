#include "services/api/async_issue.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "services/api/coupon_json.hpp"

namespace doorbuster::api {
namespace {

struct Waiting {
  QueuedRequest queued;
  Timestamp here_since{};  ///< accepted or taken over by this process
};

struct Arrival {
  QueuedRequest queued;
  AsyncIssue::Accepted accepted;
};

/// Without the closing brace.
std::string body_of(const QueuedRequest& queued, std::string_view state) {
  std::string body = R"({"request_id":")";
  body.append(queued.id).append(R"(","campaign_id":")").append(queued.request.campaign.text());
  body.append(R"(","user_id":")").append(queued.request.user.text());
  return body.append(R"(","state":")").append(state).append("\"");
}

}  // namespace

class AsyncIssue::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, Clock& clock, IssueService& issue, RequestBook& book, RandomSource& random,
       AsyncOptions options)
      : executor_(executor),
        clock_(clock),
        issue_(issue),
        book_(book),
        random_(random),
        options_(std::move(options)) {}

  void accept(const IssueRequest& request, Accepted accepted) {
    if (stats_.waiting >= options_.most_waiting) {
      ++stats_.refused;
      return accepted(make_error(ErrorCode::overloaded, "too many requests wait for their decision"));
    }
    ++stats_.waiting;
    CouponCode::Bytes bytes;
    random_.fill(bytes);
    arrivals_.push_back({{CouponCode(bytes).text(), request, clock_.now()}, std::move(accepted)});
    if (arrivals_.size() > 1) return;
    executor_.defer([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->note_arrivals();
    });
  }

  void tick() {
    if (std::exchange(taking_, true)) return;
    const std::size_t room =
        options_.most_waiting - std::min<std::size_t>(options_.most_waiting, stats_.waiting);
    book_.take_over(std::min(room, options_.most_taken), [weak = weak_from_this()](auto taken) {
      const auto self = weak.lock();
      if (!self) return;
      self->taking_ = false;
      if (!taken) return;  // the next tick asks again
      self->stats_.waiting += taken->size();
      self->stats_.taken_over += taken->size();
      for (auto& queued : *taken) self->queue_.push_back({std::move(queued), self->clock_.now()});
      self->go_on();
    });
  }

  RequestBook& book() { return book_; }
  const AsyncStats& stats() const { return stats_; }

 private:
  void note_arrivals() {
    auto arrivals = std::exchange(arrivals_, {});
    for (std::size_t first = 0; first < arrivals.size(); first += options_.most_noted) {
      const auto last = std::min(first + options_.most_noted, arrivals.size());
      std::vector<Arrival> part(
          std::make_move_iterator(arrivals.begin() + static_cast<std::ptrdiff_t>(first)),
          std::make_move_iterator(arrivals.begin() + static_cast<std::ptrdiff_t>(last)));
      std::vector<QueuedRequest> requests;
      std::vector<RequestAnswer> pending;
      for (const auto& [queued, accepted] : part) {
        requests.push_back(queued);
        pending.push_back({queued.id, queued.request.user, body_of(queued, "pending") + '}'});
      }
      book_.accept(std::move(requests), std::move(pending),
                   [weak = weak_from_this(), part = std::move(part)](Result<void> noted) mutable {
                     const auto self = weak.lock();
                     if (!self) return;
                     self->noted(std::move(part), noted);
                   });
    }
  }

  void noted(std::vector<Arrival> part, const Result<void>& noted) {
    for (auto& [queued, accepted] : part) {
      if (!noted) {
        --stats_.waiting;
        ++stats_.refused;
        accepted(noted.error());
        continue;
      }
      ++stats_.accepted;
      accepted(queued.id);
      const Timestamp since = queued.accepted_at;
      queue_.push_back({std::move(queued), since});
    }
    go_on();
  }

  void go_on() {
    while (!queue_.empty() && at_once_ < options_.most_at_once) {
      ++at_once_;
      auto waiting = std::make_unique<Waiting>(std::move(queue_.front()));
      queue_.pop_front();
      const IssueRequest request = waiting->queued.request;
      issue_.submit(request, [weak = weak_from_this(),
                              waiting = std::move(waiting)](const Result<IssueAnswer>& answer) mutable {
        if (const auto self = weak.lock()) self->answered(std::move(waiting), answer);
      });
    }
  }

  void answered(std::unique_ptr<Waiting> waiting, const Result<IssueAnswer>& answer) {
    --at_once_;
    const Timestamp now = clock_.now();
    if (!answer && now - waiting->here_since < options_.patience) {
      executor_.after(options_.pause, [weak = weak_from_this(), waiting = std::move(waiting)] {
        const auto self = weak.lock();
        if (!self) return;
        self->queue_.push_back(std::move(*waiting));
        self->go_on();
      });
      return go_on_later();
    }
    ++(answer ? stats_.decided[static_cast<std::size_t>(answer->outcome)] : stats_.failed);
    stats_.time.record(now - waiting->queued.accepted_at);
    const QueuedRequest& queued = waiting->queued;
    outcomes_.push_back({queued.id, queued.request.user, outcome_of(queued, answer)});
    if (outcomes_.size() == 1) {
      executor_.defer([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->note_outcomes();
      });
    }
    go_on_later();
  }

  /// Not within the issue service's call: it is in the middle of answering a batch.
  void go_on_later() {
    if (queue_.empty() || std::exchange(going_on_, true)) return;
    executor_.defer([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->going_on_ = false;
      self->go_on();
    });
  }

  std::string outcome_of(const QueuedRequest& queued, const Result<IssueAnswer>& answer) const {
    if (!answer) return body_of(queued, "failed") + '}';
    std::string body = body_of(queued, to_text(answer->outcome));
    if (answer->outcome == Outcome::issued || answer->outcome == Outcome::already_issued) {
      const Decision& decision = answer->decision;
      body += R"(,"coupon":)";
      append_coupon_json(body, queued.request.campaign, decision.coupon,
                         decision.durability == Durability::log ? std::string_view(options_.log_strength)
                                                                : to_text(decision.durability));
    }
    return body + '}';
  }

  void note_outcomes() {
    auto outcomes = std::exchange(outcomes_, {});
    for (std::size_t first = 0; first < outcomes.size(); first += options_.most_noted) {
      const auto last = std::min(first + options_.most_noted, outcomes.size());
      note(std::vector<RequestAnswer>(
          std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(first)),
          std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(last))));
    }
  }

  /// Until the book takes them: their places in the queue are held as long, so it cannot grow meanwhile.
  void note(std::vector<RequestAnswer> outcomes) {
    auto copy = outcomes;
    book_.settle(std::move(copy), [weak = weak_from_this(),
                                   outcomes = std::move(outcomes)](Result<void> noted) mutable {
      const auto self = weak.lock();
      if (!self) return;
      if (noted) {
        self->stats_.waiting -= outcomes.size();
        return;
      }
      self->executor_.after(self->options_.pause, [weak, outcomes = std::move(outcomes)]() mutable {
        if (const auto again = weak.lock()) again->note(std::move(outcomes));
      });
    });
  }

  Executor& executor_;
  Clock& clock_;
  IssueService& issue_;
  RequestBook& book_;
  RandomSource& random_;
  const AsyncOptions options_;
  AsyncStats stats_;
  std::vector<Arrival> arrivals_;        // of this turn
  std::vector<RequestAnswer> outcomes_;  // of this turn
  std::deque<Waiting> queue_;            // in the order of arrival
  std::size_t at_once_ = 0;
  bool taking_ = false;
  bool going_on_ = false;
};

AsyncIssue::AsyncIssue(Executor& executor, Clock& clock, IssueService& issue, RequestBook& book,
                       RandomSource& random, AsyncOptions options)
    : impl_(std::make_shared<Impl>(executor, clock, issue, book, random, std::move(options))) {}
AsyncIssue::~AsyncIssue() = default;

void AsyncIssue::accept(const IssueRequest& request, Accepted accepted) {
  impl_->accept(request, std::move(accepted));
}
void AsyncIssue::tick() {
  impl_->tick();
}
RequestBook& AsyncIssue::book() {
  return impl_->book();
}
const AsyncStats& AsyncIssue::stats() const {
  return impl_->stats();
}

}  // namespace doorbuster::api
