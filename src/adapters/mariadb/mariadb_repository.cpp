#include "adapters/mariadb/mariadb_repository.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/mariadb/rows.hpp"

namespace doorbuster::mariadb {
namespace {

const std::string& select_coupon() {
  static const auto text = fmt::format(
      "SELECT {}, redeemed_at FROM (SELECT * FROM coupon_issued_user WHERE {{}}) AS c LEFT JOIN redemption "
      "USING "
      "(code)",
      kCouponColumns);
  return text;
}

Result<StoredCoupon> read_stored(const Row& row) {
  auto event = read_event(row);
  if (!event) return event.error();
  StoredCoupon stored{event->campaign, event->coupon, event->refilled,
                      std::nullopt,    event->epoch,  event->revision};
  if (!row.is_null(kCouponWidth)) stored.redeemed_at = time_of(row.integer(kCouponWidth));
  return stored;
}

Result<std::vector<StoredCoupon>> read_coupons(Connection& connection, std::string_view where,
                                               std::initializer_list<Value> parameters) {
  std::vector<StoredCoupon> coupons;
  auto read = connection.rows(fmt::format(fmt::runtime(select_coupon()), where), parameters,
                              [&](const Row& row) -> Result<void> {
                                auto stored = read_stored(row);
                                if (!stored) return stored.error();
                                coupons.push_back(std::move(*stored));
                                return {};
                              });
  if (!read) return read.error();
  return coupons;
}

Result<std::optional<StoredCoupon>> first_of(Result<std::vector<StoredCoupon>> coupons) {
  if (!coupons) return coupons.error();
  if (coupons->empty()) return std::optional<StoredCoupon>();
  return std::optional(std::move(coupons->front()));
}

PoolOptions pool_options(const ServerOptions& server, Access access, std::size_t most) {
  PoolOptions options;
  options.server = server;
  options.access = access;
  options.most_connections = most;
  return options;
}

}  // namespace

MariaDbRepository::MariaDbRepository(const RepositoryOptions& options)
    : topic_(options.topic),
      readers_(pool_options(options.server, Access::read_only, options.readers)),
      redeemers_(pool_options(options.server, Access::read_write, options.redeemers)) {}

Result<std::optional<StoredCoupon>> MariaDbRepository::find(const CouponCode& code) {
  return readers_.read<std::optional<StoredCoupon>>([&](Connection& connection) {
    return first_of(read_coupons(connection, "code = ?", {bytes_of(code)}));
  });
}

Result<std::optional<StoredCoupon>> MariaDbRepository::find(const CampaignId& campaign, const UserId& user) {
  return readers_.read<std::optional<StoredCoupon>>([&](Connection& connection) {
    return first_of(
        read_coupons(connection, "campaign_id = ? AND user_id = ?", {campaign.text(), user.text()}));
  });
}

Result<std::vector<StoredCoupon>> MariaDbRepository::list(const CampaignId& campaign, std::uint64_t after,
                                                          std::size_t max) {
  using Coupons = std::vector<StoredCoupon>;
  return readers_.read<Coupons>([&](Connection& connection) -> Result<Coupons> {
    const auto wanted = after + std::min<std::uint64_t>(max, UINT64_MAX - after);
    auto mark = watermark(connection, campaign, wanted);
    if (!mark) return mark.error();
    if (*mark <= after) return Coupons();
    return read_coupons(connection,
                        "campaign_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
                        {campaign.text(), after, *mark, std::uint64_t{max}});
  });
}

Result<std::uint64_t> MariaDbRepository::watermark(Connection& connection, const CampaignId& campaign,
                                                   std::uint64_t wanted) {
  std::uint64_t mark = 0;
  {
    std::lock_guard lock(marks_mutex_);
    if (const auto known = marks_.find(campaign); known != marks_.end()) mark = known->second;
  }
  if (mark >= wanted) return mark;
  if (mark == 0) {
    auto stored = connection.integer(
        "SELECT CAST(watermark AS SIGNED) FROM coupon_watermark WHERE campaign_id = ?", {campaign.text()});
    if (!stored) return stored.error();
    mark = static_cast<std::uint64_t>(stored->value_or(0));
  }
  auto through = contiguous_through(connection, campaign, mark, wanted);
  if (!through) return through;
  if (*through == 0) return 0;  // an id that anybody may make up is not kept
  std::lock_guard lock(marks_mutex_);
  auto& known = marks_[campaign];
  known = std::max(known, *through);
  return known;
}

Result<Redemption> MariaDbRepository::redeem(const CouponCode& code, const std::string& idempotency_key,
                                             Timestamp now) {
  return redeemers_.with<Redemption>([&](Connection& connection) -> Result<Redemption> {
    auto made = connection.run(
        "INSERT INTO redemption (code, idempotency_key, redeemed_at) SELECT code, ?, ? FROM "
        "coupon_issued_user "
        "WHERE code = ?",
        {idempotency_key, micros(now), bytes_of(code)});
    if (made && *made == 1) return Redemption{code, now, false};
    if (made)
      return make_error(ErrorCode::not_found, fmt::format("there is no coupon {}", code.text()), "code");
    if (made.error().code != ErrorCode::conflict) return made.error();
    std::optional<Redemption> before;
    bool same = false;
    auto read = connection.rows("SELECT idempotency_key, redeemed_at FROM redemption WHERE code = ?",
                                {bytes_of(code)}, [&](const Row& row) -> Result<void> {
                                  same = row.text(0) == idempotency_key;
                                  before = Redemption{code, time_of(row.integer(1)), true};
                                  return {};
                                });
    if (!read) return read.error();
    if (!before) return make_error(ErrorCode::unavailable, "a redemption has gone while it was read");
    if (same) return *before;
    return make_error(ErrorCode::conflict,
                      fmt::format("coupon {} was redeemed at {}", code.text(), to_text(before->redeemed_at)),
                      "code");
  });
}

Result<LogPosition> MariaDbRepository::stored_through() {
  return readers_.read<LogPosition>([&](Connection& connection) -> Result<LogPosition> {
    auto sum = connection.integer("SELECT CAST(SUM(position) AS SIGNED) FROM worker_offset WHERE topic = ?",
                                  {topic_});
    if (!sum) return sum.error();
    return static_cast<LogPosition>(sum->value_or(0));
  });
}

Result<std::vector<LogPosition>> MariaDbRepository::stored_through(std::size_t partitions) {
  return readers_.read<std::vector<LogPosition>>(
      [&](Connection& connection) { return read_positions(connection, topic_, partitions); });
}

Result<bool> MariaDbRepository::any_refused() {
  return readers_.read<bool>([&](Connection& connection) -> Result<bool> {
    auto found = connection.integer(
        "SELECT 1 FROM dead_letter WHERE topic = ? AND reason LIKE 'refused: %' LIMIT 1", {topic_});
    if (!found) return found.error();
    return found->has_value();
  });
}

Result<std::vector<StoredCoupon>> MariaDbRepository::rows(const CampaignId& campaign, std::uint64_t after,
                                                          std::size_t max) {
  return readers_.read<std::vector<StoredCoupon>>([&](Connection& connection) {
    return read_coupons(connection, "campaign_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                        {campaign.text(), after, std::uint64_t{max}});
  });
}

Result<std::vector<DeadLetter>> MariaDbRepository::dead_letters(std::size_t max) {
  using Letters = std::vector<DeadLetter>;
  return readers_.read<Letters>([&](Connection& connection) -> Result<Letters> {
    Letters letters;
    auto read = connection.rows(
        "SELECT position, reason, payload FROM dead_letter WHERE topic = ? ORDER BY partition_no, position "
        "LIMIT ?",
        {topic_, std::uint64_t{max}}, [&](const Row& row) -> Result<void> {
          letters.push_back({row.number(0), std::string(row.text(1)), std::string(row.text(2))});
          return {};
        });
    if (!read) return read.error();
    return letters;
  });
}

}  // namespace doorbuster::mariadb
