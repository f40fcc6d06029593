#include "adapters/sqlite/log_file.hpp"

#include <fmt/format.h>

#include "adapters/sqlite/log_reader.hpp"

namespace doorbuster::sqlite {
namespace {

// The whole chain is checked when the ledger is rebuilt; opening checks what a crash can have touched.
constexpr LogPosition kTailEvents = 1000;

}  // namespace

LogFile::~LogFile() {
  close();
}

Result<std::unique_ptr<LogFile>> LogFile::open(const std::string& path, const std::string& vfs) {
  std::unique_ptr<LogFile> file(new LogFile(path, vfs));
  if (auto connected = file->connect(); !connected) return connected.error();
  auto end = stored_end(file->database_);
  if (!end) return end.error();
  ChainEnd from;
  if (end->position > kTailEvents) {
    auto before = LogReader::make(file->database_);
    if (!before) return before.error();
    if (auto sought = before->seek(end->position - kTailEvents); !sought) return sought.error();
    from = before->row_end();
  }
  if (auto checked = file->check_tail(from); !checked) return checked.error();
  return file;
}

Result<void> LogFile::connect() {
  auto database = Database::open(path_, OpenMode::create, vfs_);
  if (!database) return database.error();
  database_ = std::move(*database);
  // FULL: the commit returns after the fsync of the write-ahead log. Checkpoints are the checkpoint thread's.
  for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                             "PRAGMA wal_autocheckpoint=0", "PRAGMA secure_delete=OFF"}) {
    if (auto set = database_.execute(pragma); !set) return set;
  }
  if (auto prepared = prepare_log_schema(database_); !prepared) return prepared;
  auto page = database_.query_integer("PRAGMA page_size");
  if (!page) return page.error();
  page_bytes_ = *page;
  database_.count_wal_pages(&wal_pages_);
  auto writer = LogWriter::make(database_);
  if (!writer) return writer.error();
  writer_ = std::make_unique<LogWriter>(std::move(*writer));
  return {};
}

Result<void> LogFile::check_tail(ChainEnd from) {
  auto reader = LogReader::make(database_);
  if (!reader) return reader.error();
  if (auto sought = reader->seek(from.position); !sought) return sought;
  if (reader->row_end() != from) {
    return make_error(
        ErrorCode::corrupt,
        fmt::format("{}: position {} is not the row that was written there; the rows behind it are "
                    "not used",
                    path_, from.position));
  }
  LogRecord record;
  for (;;) {
    auto more = reader->next(record);
    if (!more) return more.error();
    if (!*more) break;
  }
  safe_ = reader->row_end();
  return {};
}

Result<void> LogFile::commit() {
  if (auto committed = database_.commit(); !committed) return committed;
  safe_ = writer_->end();
  return {};
}

void LogFile::close() {
  if (!database_.is_open()) return;
  // After a failed fsync the kernel marks the pages clean, although the disk may not have them, and would
  // show them to the next reader as if they were safe. Dropped, they are read from the disk.
  drop_page_cache(path_);
  drop_page_cache(path_ + "-wal");
  writer_.reset();
  database_.close();
}

Result<void> LogFile::reopen() {
  close();
  const auto before = safe_;
  auto opened = connect();
  if (opened) opened = check_tail(before);
  if (!opened) {
    safe_ = before;
    close();
  }
  return opened;
}

std::vector<CampaignDefinition> LogFile::definitions() const {
  std::vector<CampaignDefinition> all;
  for (const auto& [id, definition] : writer_->definitions()) all.push_back(definition);
  return all;
}

const CampaignDefinition* LogFile::definition(const CampaignId& id) const {
  const auto found = writer_->definitions().find(id);
  return found == writer_->definitions().end() ? nullptr : &found->second;
}

}  // namespace doorbuster::sqlite
