#include "adapters/sqlite/log_reader.hpp"

#include <fmt/format.h>

namespace doorbuster::sqlite {

Result<LogReader> LogReader::make(Database& database) {
  LogReader reader;
  reader.path_ = database.path();
  auto scan = database.prepare("SELECT last, events, crc FROM batch WHERE last > ? ORDER BY last");
  if (!scan) return scan.error();
  reader.scan_ = std::move(*scan);
  auto row_before =
      database.prepare("SELECT last, crc FROM batch WHERE last <= ? ORDER BY last DESC LIMIT 1");
  if (!row_before) return row_before.error();
  reader.row_before_ = std::move(*row_before);
  reader.scan_.bind(1, std::int64_t{0});
  return reader;
}

void LogReader::pause() {
  scan_.reset();
  scan_.bind(1, static_cast<std::int64_t>(row_end_.position));
}

Result<void> LogReader::seek(LogPosition after) {
  scan_.reset();
  if (after != position_) {
    row_before_.bind(1, static_cast<std::int64_t>(after));
    auto row = row_before_.step();
    if (!row) return row.error();
    row_end_ = {};
    if (*row) {
      row_end_ = {static_cast<LogPosition>(row_before_.integer(0)),
                  static_cast<std::uint32_t>(row_before_.integer(1))};
    }
    row_before_.reset();
    position_ = row_end_.position;
    events_ = {};
  }
  pause();
  if (position_ == after) return {};
  auto more = next_row();
  if (!more) return more.error();
  if (!*more) {
    return broken(after, "there is no such position: the log has lost its tail, or belongs to other data");
  }
  for (Event passed_over; position_ < after; ++position_) {
    if (events_.left() == 0) return broken(position_ + 1, "rows are missing, or not in their order");
    if (auto read = events_.next(passed_over); !read) return broken(position_ + 1, read.error().detail);
  }
  return {};
}

Result<bool> LogReader::next(LogRecord& record) {
  if (events_.left() == 0) {
    auto more = next_row();
    if (!more || !*more) return more;
  }
  if (auto read = events_.next(record.event); !read) return broken(position_ + 1, read.error().detail);
  record.position = ++position_;
  return true;
}

Result<bool> LogReader::next_row() {
  auto row = scan_.step();
  if (!row) return row.error();
  if (!*row) {
    pause();
    return false;
  }
  const LogPosition first = row_end_.position + 1;
  const auto last = static_cast<LogPosition>(scan_.integer(0));
  const auto stored = scan_.blob(1);
  bytes_.assign(stored.begin(), stored.end());
  const std::string_view bytes(bytes_.data(), bytes_.size());
  auto events = event::BytesReader::open(bytes);
  if (!events) return broken(first, events.error().detail);
  if (last - row_end_.position != events->left()) {
    return broken(first, fmt::format("the next row has {} events and ends at position {}: rows are missing",
                                     events->left(), last));
  }
  const auto crc = event::chained_crc(row_end_.crc, bytes);
  if (static_cast<std::int64_t>(crc) != scan_.integer(2)) {
    return broken(first, "the row does not match its CRC, which continues that of the row before");
  }
  row_end_ = {last, crc};
  events_ = *events;
  return true;
}

Error LogReader::broken(LogPosition position, std::string_view why) const {
  return make_error(ErrorCode::corrupt, fmt::format("{}: damaged at position {}: {}", path_, position, why));
}

}  // namespace doorbuster::sqlite
