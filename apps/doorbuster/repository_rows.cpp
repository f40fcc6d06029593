#include "apps/doorbuster/repository_rows.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/columns.hpp"
#include "adapters/sqlite/data_directory.hpp"

namespace doorbuster {

Result<std::unique_ptr<RepositoryRows>> RepositoryRows::open(const std::string& path,
                                                             const CampaignId& campaign) {
  auto database = sqlite::Database::open(path, sqlite::OpenMode::read_only);
  if (!database) return database.error();
  if (auto known = sqlite::check_format(*database, sqlite::kRepositoryFormats, "a coupon repository");
      !known) {
    return known.error();
  }
  std::unique_ptr<RepositoryRows> rows(new RepositoryRows(campaign));
  rows->database_ = std::move(*database);
  auto page = rows->database_.prepare(
      "SELECT sequence, user_id, code, decided_at, refilled FROM coupon "
      "WHERE campaign = (SELECT number FROM campaign WHERE id = ?) AND sequence > ? ORDER BY sequence LIMIT "
      "?");
  if (!page) return page.error();
  rows->page_ = std::move(*page);
  return rows;
}

Result<std::vector<StoredCoupon>> RepositoryRows::next(std::size_t max) {
  page_.bind_text(1, campaign_.text());
  page_.bind(2, after_);
  page_.bind(3, static_cast<std::int64_t>(max));
  std::vector<StoredCoupon> rows;
  for (;;) {
    auto more = page_.step();
    if (!more) return more.error();
    if (!*more) break;
    after_ = page_.integer(0);
    auto user = sqlite::read_user(page_, 1);
    auto code = sqlite::read_code(page_, 2);
    if (!user || !code) {
      const auto detail = fmt::format("{}: number {}: {}", database_.path(), after_,
                                      user ? code.error().detail : user.error().detail);
      page_.reset();
      return make_error(ErrorCode::corrupt, detail);
    }
    StoredCoupon row;
    row.campaign = campaign_;
    row.coupon = {*user, static_cast<std::uint64_t>(after_), *code, Timestamp(Duration(page_.integer(3)))};
    row.refilled = page_.integer(4) != 0;
    rows.push_back(std::move(row));
  }
  page_.reset();
  return rows;
}

Result<LogPosition> RepositoryRows::stored_through() {
  auto position = database_.query_integer("SELECT position FROM progress");
  if (!position) return position.error();
  return static_cast<LogPosition>(*position);
}

Result<std::vector<DeadLetter>> RepositoryRows::dead_letters(std::size_t max) {
  auto letters =
      database_.prepare("SELECT position, reason, event FROM dead_letter ORDER BY position LIMIT ?");
  if (!letters) return letters.error();
  letters->bind(1, static_cast<std::int64_t>(max));
  std::vector<DeadLetter> out;
  for (;;) {
    auto more = letters->step();
    if (!more) return more.error();
    if (!*more) return out;
    out.push_back({static_cast<LogPosition>(letters->integer(0)), std::string(letters->text(1)),
                   std::string(letters->text(2))});
  }
}

}  // namespace doorbuster
