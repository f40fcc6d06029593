#pragma once
// log.db without a thread: opening with checks, one transaction for a batch, closing after a failure.
//
// Invariants
//  1. Positions are 1..n without gap; each row's CRC continues that of the row before.
//  2. safe() is the end of the chain after the last commit that succeeded: what readers may see and users
//  were told.
//  3. After a failure nothing is written through the same connection again: close(), then reopen().
// One thread, given over between calls by its owner.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/sqlite/log_writer.hpp"

namespace doorbuster::sqlite {

class LogFile {
 public:
  /// Opens or makes the file and checks its last rows. \returns unsupported, corrupt, unavailable
  static Result<std::unique_ptr<LogFile>> open(const std::string& path, const std::string& vfs = {});
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  Result<void> begin() { return database_.begin(); }
  Result<void> add(std::span<const CouponIssued> events) { return writer_->add(events); }
  Result<void> add(const CampaignDefinition& definition) { return writer_->add(definition); }
  /// Returns when everything added is on the disk. A failure leaves open whether it is.
  Result<void> commit();

  /// Gives the connection up after a failure.
  void close();
  /// Opens the file again and reads it from safe() on, as the disk has it. The rows found become safe.
  /// \returns unavailable (the disk is still not well), corrupt (what was safe is gone)
  Result<void> reopen();

  ChainEnd safe() const { return safe_; }
  std::vector<CampaignDefinition> definitions() const;
  /// The definition as of this transaction; null when there is none.
  const CampaignDefinition* definition(const CampaignId& id) const;

  /// Pages in the write-ahead log after the last commit, in bytes.
  std::int64_t wal_bytes() const { return wal_pages_ * page_bytes_; }
  Result<Database::Checkpoint> checkpoint() { return database_.checkpoint(); }
  Result<void> checkpoint_and_truncate() { return database_.checkpoint_and_truncate(); }

 private:
  LogFile(std::string path, std::string vfs) : path_(std::move(path)), vfs_(std::move(vfs)) {}
  Result<void> connect();
  Result<void> check_tail(ChainEnd from);

  std::string path_;
  std::string vfs_;
  Database database_;
  std::unique_ptr<LogWriter> writer_;
  ChainEnd safe_;
  std::int64_t wal_pages_ = 0;
  std::int64_t page_bytes_ = 4096;
};

}  // namespace doorbuster::sqlite
