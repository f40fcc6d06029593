#pragma once
// Room for the write-ahead log before it is needed.
//
// Every commit is an fsync. In a file that grows, the file system must write down the new length and where
// the new blocks are, each time: that is more work than the data themselves. Written over, the same file
// needs none of it. SQLite writes its log over once it has been copied, so only the first round is to be paid
// for beforehand.

#include <cstdint>
#include <string>

namespace doorbuster::sqlite {

/// Lengthens the log of the database at `path` with zeros, which SQLite takes for no log at all, and has them
/// on the disk. Nothing happens to what is in it. Call it while nobody writes.
/// \returns false: it was left as it was, as the disk has not eight times as much room, or does not take it
bool reserve_wal(const std::string& path, std::int64_t bytes);

}  // namespace doorbuster::sqlite
