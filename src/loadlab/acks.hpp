#pragma once
// The file of `--acks`: one JSON line for every request sent, so that the audit can ask afterwards whether
// everything that a client was told is true.
//
// The generator threads hand over blocks of records; a thread of its own turns them into text and writes.
//
// Invariants
//  1. When close() has returned success, every record handed over is in the file.
//  2. At most kMostBlocks blocks wait; a generator that is faster than the disk waits for it, since a line
//     left out would make the audit worthless.

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "loadlab/tally.hpp"

namespace doorbuster::loadlab {

struct Ack {
  std::uint64_t user = 0;
  std::uint64_t sequence = 0;    ///< 0: none
  std::int64_t sent_us = 0;      ///< since the epoch
  std::int64_t received_us = 0;  ///< 0: no reply
  CodeText code;                 ///< empty: none
  std::string_view problem;  ///< static text: why the campaign refused ("sold-out"); empty: it did not say
  std::uint16_t status = 0;  ///< 0: no reply
};

/// `{"user":"17","status":201,"code":"...","sequence":1,"sent_us":1,"received_us":2}`; what is absent is
/// null. A refusal has `"problem":"ended"` beside its status: 410 alone would look like sold-out to the
/// audit.
void append_line(const Ack& ack, std::string& out);

class AcksFile {
 public:
  using Block = std::vector<Ack>;

  /// \returns invalid when the file cannot be made
  static Result<std::unique_ptr<AcksFile>> create(const std::string& path);
  ~AcksFile();
  AcksFile(const AcksFile&) = delete;
  AcksFile& operator=(const AcksFile&) = delete;

  /// Any thread. Waits while too many blocks wait.
  void put(Block block);
  /// Writes what waits and closes the file. \returns unavailable when anything could not be written
  Result<void> close();

 private:
  AcksFile(std::string path, std::FILE* file);
  void work();

  static constexpr std::size_t kMostBlocks = 64;

  std::string path_;
  std::FILE* file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> waiting_;
  bool closing_ = false;
  int write_error_ = 0;  ///< of the writer's thread until it is joined
  std::thread thread_;
};

}  // namespace doorbuster::loadlab
