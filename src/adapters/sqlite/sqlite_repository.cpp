#include "adapters/sqlite/sqlite_repository.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/log_rows.hpp"
#include "adapters/sqlite/repository_parts.hpp"
#include "proto/event/event_codec.hpp"

namespace doorbuster::sqlite {
namespace {

Result<StoredCoupon> read_coupon(const Statement& row) {
  StoredCoupon stored;
  auto campaign = CampaignId::parse(row.text(0));
  auto user = read_user(row, 1);
  auto code = read_code(row, 3);
  if (!campaign || !user || !code) return make_error(ErrorCode::corrupt, "a stored coupon is not valid");
  stored.campaign = *campaign;
  stored.coupon.user = *user;
  stored.coupon.sequence = static_cast<std::uint64_t>(row.integer(2));
  stored.coupon.code = *code;
  stored.coupon.decided_at = Timestamp(Duration(row.integer(4)));
  stored.refilled = row.integer(5) != 0;
  if (!row.is_null(6)) stored.redeemed_at = Timestamp(Duration(row.integer(6)));
  stored.epoch = static_cast<std::uint32_t>(row.integer(7));
  stored.revision = static_cast<std::uint32_t>(row.integer(8));
  return stored;
}

Result<std::optional<StoredCoupon>> one_coupon(Statement& statement) {
  auto row = statement.step();
  if (!row) return row.error();
  if (!*row) {
    statement.reset();
    return std::optional<StoredCoupon>();
  }
  auto coupon = read_coupon(statement);
  statement.reset();
  if (!coupon) return coupon.error();
  return std::optional(std::move(*coupon));
}

}  // namespace

Result<void> check_not_ahead(LogPosition stored_through, LogPosition log_end, const std::string& folder) {
  if (stored_through <= log_end) return {};
  return make_error(
      ErrorCode::corrupt,
      fmt::format("{}: repo.db holds the log up to position {}, but log.db ends at {}: the log has lost "
                  "its tail; restore both files from one backup",
                  folder, stored_through, log_end));
}

SqliteRepository::SqliteRepository(std::string path, std::string vfs)
    : path_(std::move(path)), vfs_(std::move(vfs)) {}

SqliteRepository::~SqliteRepository() {
  reader_.reset();
  redeemer_.reset();
  if (store_) (void)store_->database.checkpoint_and_truncate();
}

Result<std::unique_ptr<SqliteRepository>> SqliteRepository::open(const std::string& path,
                                                                 const std::string& vfs) {
  std::unique_ptr<SqliteRepository> repository(new SqliteRepository(path, vfs));
  // In this order: the store makes the tables.
  if (auto made = repository->connected(repository->store_); !made) return made.error();
  if (auto made = repository->connected(repository->reader_); !made) return made.error();
  if (auto made = repository->connected(repository->redeemer_); !made) return made.error();
  return repository;
}

template <class Part>
Result<Part*> SqliteRepository::connected(std::unique_ptr<Part>& part) {
  if (!part) {
    auto fresh = std::make_unique<Part>();
    if (auto opened = fresh->open(path_, vfs_); !opened) return opened.error();
    part = std::move(fresh);
  }
  return part.get();
}

template <class T, class Part, class Job>
Result<T> SqliteRepository::with(std::unique_ptr<Part>& part, std::mutex& mutex, Job job) {
  std::lock_guard lock(mutex);
  auto ready = connected(part);
  if (!ready) return ready.error();
  Result<T> result = job(**ready);
  const bool refused =
      !result && (result.error().code == ErrorCode::not_found || result.error().code == ErrorCode::conflict);
  // A store keeps numbers of its transaction in memory: whatever ended that, it is made anew.
  if (!result && (!refused || std::is_same_v<Part, Store>)) {
    // The next call starts with a connection that has seen no failure, and with what the disk has.
    drop_page_cache(path_);
    drop_page_cache(path_ + "-wal");
    part.reset();
  }
  return result;
}

Result<void> SqliteRepository::store(const std::vector<LogRecord>& records) {
  if (records.empty()) return {};
  return with<void>(store_, write_mutex_, [&](Store& store) -> Result<void> {
    auto stored = store.store(records);
    if (stored) {
      rows_.fetch_add(store.added, std::memory_order_relaxed);
      dead_letters_.fetch_add(store.refused, std::memory_order_relaxed);
    } else if (stored.error().code != ErrorCode::corrupt) {
      // What it was does not matter to the worker: the batch is told again.
      return make_error(ErrorCode::unavailable, stored.error().detail);
    }
    return stored;
  });
}

Result<std::optional<StoredCoupon>> SqliteRepository::find(const CouponCode& code) {
  return with<std::optional<StoredCoupon>>(reader_, reader_mutex_, [&](Reader& reader) {
    reader.by_code.bind_blob(1, code.bytes());
    return one_coupon(reader.by_code);
  });
}

Result<std::optional<StoredCoupon>> SqliteRepository::find(const CampaignId& campaign, const UserId& user) {
  return with<std::optional<StoredCoupon>>(reader_, reader_mutex_, [&](Reader& reader) {
    reader.by_user.bind_text(1, campaign.text());
    bind_user(reader.by_user, 2, user);
    return one_coupon(reader.by_user);
  });
}

Result<std::vector<StoredCoupon>> SqliteRepository::list(const CampaignId& campaign, std::uint64_t after,
                                                         std::size_t max) {
  using Coupons = std::vector<StoredCoupon>;
  return with<Coupons>(reader_, reader_mutex_, [&](Reader& reader) -> Result<Coupons> {
    Coupons coupons;
    reader.page.bind_text(1, campaign.text());
    // A number beyond the largest integer has nothing behind it.
    reader.page.bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(after, INT64_MAX)));
    reader.page.bind(3, static_cast<std::int64_t>(std::min<std::size_t>(max, INT64_MAX)));
    for (;;) {
      auto row = reader.page.step();
      if (!row) return row.error();
      if (!*row) break;
      auto coupon = read_coupon(reader.page);
      if (!coupon) {
        reader.page.reset();
        return coupon.error();
      }
      coupons.push_back(std::move(*coupon));
    }
    reader.page.reset();
    return coupons;
  });
}

Result<Redemption> SqliteRepository::redeem(const CouponCode& code, const std::string& idempotency_key,
                                            Timestamp now) {
  return with<Redemption>(redeemer_, write_mutex_, [&](Redeemer& redeemer) -> Result<Redemption> {
    Transaction transaction(redeemer.database);
    if (auto begun = transaction.begin(); !begun) return begun.error();
    redeemer.coupon.bind_blob(1, code.bytes());
    auto exists = redeemer.coupon.step();
    if (!exists) return exists.error();
    redeemer.coupon.reset();
    if (!*exists) return make_error(ErrorCode::not_found, fmt::format("there is no coupon {}", code.text()));
    redeemer.get.bind_blob(1, code.bytes());
    auto before = redeemer.get.step();
    if (!before) return before.error();
    if (*before) {
      const bool same = redeemer.get.text(0) == idempotency_key;
      const Timestamp when{Duration(redeemer.get.integer(1))};
      redeemer.get.reset();
      if (same) return Redemption{code, when, true};
      return make_error(ErrorCode::conflict,
                        fmt::format("coupon {} was redeemed at {}", code.text(), to_text(when)));
    }
    redeemer.get.reset();
    redeemer.insert.bind_blob(1, code.bytes());
    redeemer.insert.bind_text(2, idempotency_key);
    redeemer.insert.bind(3, now.time_since_epoch().count());
    if (auto inserted = redeemer.insert.run(); !inserted) return inserted.error();
    if (auto committed = transaction.commit(); !committed) {
      return make_error(ErrorCode::unknown_outcome, committed.error().detail);
    }
    return Redemption{code, now, false};
  });
}

Result<LogPosition> SqliteRepository::stored_through() {
  return with<LogPosition>(reader_, reader_mutex_, [](Reader& reader) -> Result<LogPosition> {
    auto row = reader.position.step();
    if (!row) return row.error();
    if (!*row)
      return make_error(ErrorCode::corrupt, reader.database.path() + ": the table `progress` is empty");
    const auto position = static_cast<LogPosition>(reader.position.integer(0));
    reader.position.reset();
    return position;
  });
}

Result<std::uint64_t> SqliteRepository::watermark(const CampaignId& campaign) {
  return with<std::uint64_t>(reader_, reader_mutex_, [&](Reader& reader) -> Result<std::uint64_t> {
    reader.watermark.bind_text(1, campaign.text());
    auto row = reader.watermark.step();
    if (!row) return row.error();
    const auto mark = *row ? static_cast<std::uint64_t>(reader.watermark.integer(0)) : 0;
    reader.watermark.reset();
    return mark;
  });
}

Result<std::vector<DeadLetter>> SqliteRepository::dead_letters(std::size_t max) {
  using Letters = std::vector<DeadLetter>;
  return with<Letters>(reader_, reader_mutex_, [&](Reader& reader) -> Result<Letters> {
    Letters letters;
    reader.letters.bind(1, static_cast<std::int64_t>(std::min<std::size_t>(max, INT64_MAX)));
    for (;;) {
      auto row = reader.letters.step();
      if (!row) return row.error();
      if (!*row) break;
      letters.push_back({static_cast<LogPosition>(reader.letters.integer(0)),
                         std::string(reader.letters.text(1)), std::string(reader.letters.text(2))});
    }
    reader.letters.reset();
    return letters;
  });
}

Result<std::size_t> SqliteRepository::replay_dead_letters() {
  auto letters = dead_letters(SIZE_MAX);
  if (!letters) return letters.error();
  return with<std::size_t>(store_, write_mutex_, [&](Store& store) -> Result<std::size_t> {
    Transaction transaction(store.database);
    if (auto begun = transaction.begin(); !begun) return begun.error();
    std::size_t replayed = 0;
    for (const auto& letter : *letters) {
      auto event = event::from_json(letter.event);
      const auto* coupon = event ? std::get_if<CouponIssued>(&*event) : nullptr;
      if (coupon == nullptr) continue;
      auto reason = store.add(*coupon);
      if (!reason) return reason.error();
      if (!reason->empty()) continue;
      auto gone =
          store.database.execute(fmt::format("DELETE FROM dead_letter WHERE position = {}", letter.position));
      if (!gone) return gone.error();
      ++replayed;
    }
    if (auto advanced = store.advance(0); !advanced) return advanced.error();
    if (auto committed = transaction.commit(); !committed) return committed.error();
    return replayed;
  });
}

RepositoryStats SqliteRepository::stats() const {
  return {rows_.load(std::memory_order_relaxed), dead_letters_.load(std::memory_order_relaxed)};
}

}  // namespace doorbuster::sqlite
