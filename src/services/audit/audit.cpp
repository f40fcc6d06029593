#include "services/audit/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "services/audit/coupon_index.hpp"
#include "services/audit/fairness.hpp"
#include "services/audit/sold_out_phases.hpp"

// Which fault counts under which promise:
//   1  a coupon in the log beyond the limit in force at that point, a limit below the coupons before it, a
//   ledger
//      with more holders than the limit
//   2  a user with two coupons in the log, or told another code than the log has
//   3  an acknowledged coupon that is in neither log nor repository, or that has an event but no row
//   4  a row or a number without an event, a number or code given out twice, a number that is missing when
//      quiet: unless the ledger is about to give it out again and nobody was told of it
//   5  "sold out" while it certainly was not
//   6  an event without its holder or (not acknowledged) its row, a holder without an event, rows put aside
//   7  a later number decided earlier within an epoch, a number that contradicts a certain order of requests

namespace doorbuster::audit {
namespace {

constexpr Duration kPollWorker = std::chrono::milliseconds(20);

class Audit {
 public:
  Audit(const AuditInput& input, AuditOptions options) : input_(input), options_(std::move(options)) {
    report_.campaign = options_.campaign;
  }

  Result<AuditReport> run() {
    using Step = Result<void> (Audit::*)();
    for (const Step step : {&Audit::wait_for_worker, &Audit::read_log_to_cut, &Audit::read_ledger,
                            &Audit::read_rows, &Audit::read_acknowledgements, &Audit::read_log_on}) {
      if (auto done = (this->*step)(); !done) return done.error();
    }
    judge();
    return std::move(report_);
  }

 private:
  Result<void> wait_for_worker() {
    const auto end = input_.log->end();
    if (!end) return end.error();
    report_.cut = *end;
    for (Duration waited{0};; waited += kPollWorker) {
      const auto stored = input_.rows->stored_through();
      if (!stored) return stored.error();
      if (*stored >= report_.cut) return {};
      if (waited >= options_.wait) {
        return make_error(
            ErrorCode::not_ready,
            fmt::format("the worker has stored the log up to position {} of {}; start the system and "
                        "wait longer (--wait)",
                        *stored, report_.cut));
      }
      if (options_.pause) options_.pause(kPollWorker);
    }
  }

  Result<void> read_log_to_cut() {
    while (position_ < report_.cut) {
      const auto more = read_log_page(std::min<std::size_t>(options_.page, report_.cut - position_));
      if (!more) return more.error();
      if (!*more) {
        return make_error(
            ErrorCode::corrupt,
            fmt::format("the log ends at position {}, before its own end {}", position_, report_.cut));
      }
    }
    if (!defined_) {
      return make_error(ErrorCode::not_found,
                        fmt::format("the log has no campaign '{}'", options_.campaign.text()), "campaign");
    }
    return {};
  }

  Result<void> read_log_on() {
    for (;;) {
      const auto more = read_log_page(options_.page);
      if (!more) return more.error();
      if (!*more) return {};
    }
  }

  /// False: nothing more is there.
  Result<bool> read_log_page(std::size_t max) {
    const auto records = input_.log->read(position_, max);
    if (!records) return records.error();
    for (const auto& record : *records) {
      position_ = record.position;
      if (const auto* issued = std::get_if<CouponIssued>(&record.event)) {
        if (issued->campaign == options_.campaign) take(record.position, *issued);
      } else {
        const auto& definition = std::get<CampaignChanged>(record.event).definition;
        if (definition.id == options_.campaign) take(record.position, definition);
      }
    }
    return !records->empty();
  }

  void take(LogPosition position, const CampaignDefinition& definition) {
    defined_ = true;
    limit_ = definition.limit;
    may_have_ended_ |= definition.ends_at.has_value() || definition.status == CampaignStatus::ended;
    phases_.limit_changed(limit_, index_.size());
    if (index_.size() > limit_) {
      report_.breaks(Promise::limit,
                     fmt::format("log position {}: the limit becomes {} when {} coupons are out", position,
                                 limit_, index_.size()));
    }
  }

  void take(LogPosition position, const CouponIssued& event) {
    const auto& coupon = event.coupon;
    const auto user = user_key(coupon.user);
    auto* same_number = index_.by_sequence(coupon.sequence);
    if (same_number != nullptr && same_number->user == user && same_number->code == coupon.code &&
        same_number->decided_at == coupon.decided_at) {
      ++report_.repeated_events;
      return;
    }
    const auto here = fmt::format("log position {}: user {}, number {}, code {}", position,
                                  coupon.user.text(), coupon.sequence, coupon.code.text());
    if (const auto* held = index_.by_user(user)) {
      report_.breaks(Promise::one_per_user, fmt::format("{}: this user holds number {}, code {}", here,
                                                        held->sequence, held->code.text()));
    } else if (same_number != nullptr) {
      report_.breaks(Promise::numbers, here + ": the number was given to somebody else before");
    } else if (index_.by_code(coupon.code) != nullptr) {
      report_.breaks(Promise::numbers, here + ": the code was given to somebody else before");
    }
    IndexedCoupon entry;
    entry.user = user;
    entry.sequence = coupon.sequence;
    entry.decided_at = coupon.decided_at;
    entry.epoch = event.epoch;
    entry.code = coupon.code;
    entry.refilled = event.refilled;
    entry.late = position > report_.cut;
    if (!entry.late) ++report_.events;
    index_.add(entry);
    phases_.decided(coupon.decided_at, index_.size());
    if (index_.size() > limit_) {
      report_.breaks(Promise::limit,
                     fmt::format("{}: coupon {} of a limit of {}", here, index_.size(), limit_));
    }
  }

  /// The event with this number, user and code, whichever of several with that number it is.
  IndexedCoupon* find(std::uint64_t user, std::uint64_t sequence, const CouponCode& code) {
    for (auto* entry : {index_.by_sequence(sequence), index_.by_user(user), index_.by_code(code)}) {
      if (entry != nullptr && entry->user == user && entry->sequence == sequence && entry->code == code)
        return entry;
    }
    return nullptr;
  }

  /// Reads the log on once a page when something in the page is not known yet.
  template <class Values, class Known>
  Result<void> catch_up(const Values& values, Known known) {
    if (std::all_of(values.begin(), values.end(), known)) return {};
    return read_log_on();
  }

  /// Hands every page of a source to `take_page`. \returns how many values there were
  template <class T, class TakePage>
  Result<std::uint64_t> read_pages(ForwardSource<T>& source, TakePage take_page) {
    std::uint64_t count = 0;
    for (;;) {
      const auto page = source.next(options_.page);
      if (!page) return page.error();
      if (page->empty()) return count;
      count += page->size();
      if (Result<void> taken = take_page(*page); !taken) return taken.error();
    }
  }

  Result<void> read_ledger() {
    if (input_.ledger == nullptr) {
      report_.ledger_from_log = true;
      report_.holders = report_.events;
      return {};
    }
    // Before the holders: a number that is given out between the two is in the log or pending, and not
    // missing.
    auto missing = input_.ledger->missing();
    if (!missing) return missing.error();
    refillable_ = std::move(*missing);
    const auto key = [](const LedgerHolder& holder) { return user_key(holder.coupon.user); };
    const auto count = read_pages(*input_.ledger, [&](const std::vector<LedgerHolder>& page) -> Result<void> {
      auto known = catch_up(page, [&](const LedgerHolder& holder) {
        return holder.pending || find(key(holder), holder.coupon.sequence, holder.coupon.code) != nullptr;
      });
      if (!known) return known;
      for (const auto& holder : page) take(holder);
      return {};
    });
    if (!count) return count.error();
    report_.holders = *count;
    if (*count <= limit_) return {};
    // The ledger was read after the cut: the limit may have been raised since.
    if (auto done = read_log_on(); !done) return done;
    if (*count > limit_) {
      report_.breaks(Promise::limit,
                     fmt::format("the ledger has {} holders, the limit is {}", *count, limit_));
    }
    return {};
  }

  void take(const LedgerHolder& holder) {
    if (holder.pending) ++report_.pending;
    const auto& coupon = holder.coupon;
    auto* entry = find(user_key(coupon.user), coupon.sequence, coupon.code);
    const auto here = [&] {
      return fmt::format("ledger: user {}, number {}, code {}", coupon.user.text(), coupon.sequence,
                         coupon.code.text());
    };
    if (entry != nullptr) {
      if (entry->in_ledger) report_.breaks(Promise::agreement, here() + ": twice in the ledger");
      entry->in_ledger = true;
      if (entry->decided_at != coupon.decided_at) {
        report_.breaks(Promise::agreement,
                       fmt::format("{}: decided at {}, in the log {}", here(), to_text(coupon.decided_at),
                                   to_text(entry->decided_at)));
      }
    } else if (!holder.pending) {
      report_.breaks(Promise::agreement, here() + ": safe, but not in the log");
    }
  }

  Result<void> read_rows() {
    const auto key = [](const StoredCoupon& row) { return user_key(row.coupon.user); };
    const auto count = read_pages(*input_.rows, [&](const std::vector<StoredCoupon>& page) -> Result<void> {
      auto known = catch_up(page, [&](const StoredCoupon& row) {
        return find(key(row), row.coupon.sequence, row.coupon.code) != nullptr;
      });
      if (!known) return known;
      for (const auto& row : page) take(row);
      return {};
    });
    if (!count) return count.error();
    report_.rows = *count;
    const auto letters = input_.rows->dead_letters(kMostExamples);
    if (!letters) return letters.error();
    for (const auto& letter : *letters) {
      report_.breaks(Promise::agreement, fmt::format("log position {} was put aside by the worker: {}",
                                                     letter.position, letter.reason));
    }
    return {};
  }

  void take(const StoredCoupon& row) {
    const auto& coupon = row.coupon;
    auto* entry = find(user_key(coupon.user), coupon.sequence, coupon.code);
    const auto here = [&] {
      return fmt::format("row: user {}, number {}, code {}", coupon.user.text(), coupon.sequence,
                         coupon.code.text());
    };
    if (entry == nullptr) {
      report_.breaks(Promise::numbers, here() + ": the log has no such event");
      return;
    }
    if (entry->in_rows) report_.breaks(Promise::numbers, here() + ": twice in the repository");
    entry->in_rows = true;
    if (entry->decided_at != coupon.decided_at || entry->refilled != row.refilled) {
      report_.breaks(Promise::agreement, here() + ": decided_at or refilled differ from the log");
    }
  }

  Result<void> read_acknowledgements() {
    for (auto* source : input_.acknowledgements) {
      const auto count = read_pages(*source, [&](const std::vector<Acknowledgement>& page) -> Result<void> {
        auto known =
            catch_up(page, [&](const Acknowledgement& ack) { return !is_coupon(ack) || has_event(ack); });
        if (!known) return known;
        for (const auto& ack : page) take(ack);
        return {};
      });
      if (!count) return count.error();
      report_.acknowledgements += *count;
    }
    return {};
  }

  static bool is_coupon(const Acknowledgement& ack) { return ack.status == 201 || ack.status == 200; }

  bool has_event(const Acknowledgement& ack) {
    const auto user = UserId::parse(ack.user);
    return user && index_.by_user(user_key(*user)) != nullptr;
  }

  void take(const Acknowledgement& ack) {
    if (is_coupon(ack)) {
      take_coupon(ack);
    } else if (says_sold_out(ack) && ack.received_at) {
      ++report_.of(Promise::sold_out).checked;
      if (phases_.contradicts(ack.sent_at, *ack.received_at)) {
        report_.breaks(Promise::sold_out, fmt::format("{}: user {} was told at {} that it is sold out",
                                                      ack.where, ack.user, to_text(*ack.received_at)));
      }
    }
  }

  /// 410 is the end of a campaign, too: without the problem it tells nothing of a campaign that may have
  /// ended.
  bool says_sold_out(const Acknowledgement& ack) const {
    if (ack.status != 410) return false;
    return ack.problem.empty() ? !may_have_ended_ : ack.problem == "sold-out";
  }

  void take_coupon(const Acknowledgement& ack) {
    ++report_.of(Promise::nothing_lost).checked;
    const auto here = [&] {
      return fmt::format("{}: user {} was told code {}, number {}", ack.where, ack.user,
                         ack.code ? ack.code->text() : "(none)", ack.sequence);
    };
    const auto user = UserId::parse(ack.user);
    auto* entry = user ? index_.by_user(user_key(*user)) : nullptr;
    if (entry == nullptr) {
      report_.breaks(Promise::nothing_lost, here() + ": there is no such coupon");
      told_.push_back({ack.sequence, ack.where});
      return;
    }
    // A user who wrongly has two in the log is judged there; either of them counts as held here.
    if (ack.code && entry->code != *ack.code) {
      if (auto* other = index_.by_code(*ack.code); other != nullptr && other->user == entry->user)
        entry = other;
    }
    if (!ack.code || entry->code != *ack.code || (ack.sequence != 0 && entry->sequence != ack.sequence)) {
      report_.breaks(Promise::one_per_user, fmt::format("{}: this user holds number {}, code {}", here(),
                                                        entry->sequence, entry->code.text()));
      told_.push_back({ack.sequence, ack.where});
      return;
    }
    if (!entry->in_rows && !entry->late) report_.breaks(Promise::nothing_lost, here() + ": it has no row");
    if (!entry->acknowledged) ++report_.acknowledged_coupons;
    entry->acknowledged = true;
    if (options_.fairness && ack.status == 201 && ack.sent_at && ack.received_at && !entry->refilled) {
      arrivals_.push_back({*ack.sent_at, *ack.received_at, entry->sequence});
    }
  }

  void judge() {
    report_.limit = limit_;
    report_.quiet = index_.size() == report_.events && report_.pending == 0;
    std::vector<const IndexedCoupon*> by_number;
    by_number.reserve(index_.size());
    for (const auto& entry : index_.all()) {
      by_number.push_back(&entry);
      if (entry.late) continue;
      const auto here = [&] { return fmt::format("number {}, code {}", entry.sequence, entry.code.text()); };
      if (!report_.ledger_from_log && !entry.in_ledger) {
        report_.breaks(Promise::agreement, here() + ": in the log, not in the ledger");
      }
      if (!entry.in_rows && !entry.acknowledged) {
        report_.breaks(Promise::agreement, here() + ": in the log, not in the repository");
      }
    }
    std::sort(by_number.begin(), by_number.end(),
              [](const auto* a, const auto* b) { return a->sequence < b->sequence; });
    judge_numbers(by_number);
    if (!report_.refill_pending.empty()) {
      std::string ranges;
      for (const auto& range : report_.refill_pending) {
        if (ranges.size() > 60) {
          ranges += ", ...";
          break;
        }
        if (!ranges.empty()) ranges += ", ";
        ranges += text_of(range);
      }
      report_.of(Promise::numbers).remark = fmt::format(
          "refill pending: {} went to nobody, after a loss, and will be given out before any new number",
          ranges);
    }
    if (options_.fairness) measure_fairness(arrivals_, report_);

    report_.of(Promise::limit).checked = report_.of(Promise::one_per_user).checked = index_.size();
    report_.of(Promise::numbers).checked = report_.rows;
    report_.of(Promise::agreement).checked = report_.events;
    report_.of(Promise::order).checked = index_.size();
    if (input_.acknowledgements.empty()) {
      report_.of(Promise::nothing_lost).remark = report_.of(Promise::sold_out).remark =
          "no acknowledgements were given (--acks)";
    }
    if (report_.ledger_from_log)
      report_.of(Promise::agreement).remark = "the ledger was rebuilt from the log";
  }

  void judge_numbers(const std::vector<const IndexedCoupon*>& by_number) {
    std::uint64_t expected = 1;
    const IndexedCoupon* before = nullptr;
    for (const auto* entry : by_number) {
      if (report_.quiet && entry->sequence > expected) judge_gap({expected, entry->sequence - 1});
      if (entry->sequence == 0) report_.breaks(Promise::numbers, "number 0 was given out");
      expected = entry->sequence + 1;
      if (entry->refilled) continue;
      if (before != nullptr && before->epoch == entry->epoch && entry->decided_at < before->decided_at) {
        report_.breaks(Promise::order,
                       fmt::format("number {} was decided at {}, number {} at {} (or the clock was set back)",
                                   before->sequence, to_text(before->decided_at), entry->sequence,
                                   to_text(entry->decided_at)));
      }
      before = entry;
    }
  }

  /// Decisions that nobody was told of may be lost when a process dies after a failed write. The ledger knows
  /// their numbers and gives them out again before any new one (rule 6 of consistency.md); a ledger that is
  /// rebuilt from the log knows every gap in it. So a gap is a fault when the ledger does not know it, or
  /// when somebody was told of one of its numbers. (A row with such a number is one without an event.)
  void judge_gap(NumberRange gap) {
    const auto told = std::find_if(told_.begin(), told_.end(), [&](const Told& one) {
      return one.sequence >= gap.first && one.sequence <= gap.last;
    });
    if (told != told_.end()) {
      return report_.breaks(Promise::numbers,
                            fmt::format("{} is missing, and {}: somebody was told of number {}", text_of(gap),
                                        told->where, told->sequence));
    }
    const bool known = report_.ledger_from_log ||
                       std::any_of(refillable_.begin(), refillable_.end(), [&](const NumberRange& range) {
                         return range.first <= gap.first && gap.last <= range.last;
                       });
    if (known) {
      report_.refill_pending.push_back(gap);
    } else {
      report_.breaks(Promise::numbers,
                     fmt::format("{} is missing, and the ledger does not know of it", text_of(gap)));
    }
  }

  static std::string text_of(NumberRange range) {
    return range.first == range.last ? fmt::format("number {}", range.first)
                                     : fmt::format("numbers {} to {}", range.first, range.last);
  }

  /// What an acknowledgement says that no event bears out.
  struct Told {
    std::uint64_t sequence;
    std::string where;
  };

  const AuditInput& input_;
  AuditOptions options_;
  AuditReport report_;
  CouponIndex index_;
  SoldOutPhases phases_;
  std::vector<Arrival> arrivals_;
  std::vector<NumberRange> refillable_;  // what the ledger says is missing
  std::vector<Told> told_;
  LogPosition position_ = 0;
  std::uint64_t limit_ = 0;
  bool defined_ = false;
  bool may_have_ended_ = false;
};

}  // namespace

Result<AuditReport> run_audit(const AuditInput& input, AuditOptions options) {
  return Audit(input, std::move(options)).run();
}

}  // namespace doorbuster::audit
