#include "adapters/sqlite/wal_space.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace doorbuster::sqlite {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;
/// A disk that is nearly full is left what it has.
constexpr std::uint64_t kRoomLeft = 8;

bool has_room(int file, std::int64_t bytes) {
  struct statvfs disk {};
  if (::fstatvfs(file, &disk) != 0) return false;
  return std::uint64_t{disk.f_bavail} * disk.f_frsize >= kRoomLeft * static_cast<std::uint64_t>(bytes);
}

bool write_zeros(int file, std::int64_t from, std::int64_t to) {
  const std::vector<char> zeros(static_cast<std::size_t>(kPiece));
  while (from < to) {
    const auto written =
        ::pwrite(file, zeros.data(), static_cast<std::size_t>(std::min(kPiece, to - from)), from);
    if (written <= 0) return false;
    from += written;
  }
  return ::fdatasync(file) == 0;
}

}  // namespace

bool reserve_wal(const std::string& path, std::int64_t bytes) {
  // SQLite's locks are on other files: closing this one takes none of them away.
  const int file = ::open((path + "-wal").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  struct stat now {};
  bool reserved = ::fstat(file, &now) == 0;
  if (reserved && now.st_size < bytes) {
    reserved = has_room(file, bytes) && write_zeros(file, now.st_size, bytes);
    // What has been written of it is of no use, and somebody else may need the room.
    if (!reserved) static_cast<void>(::ftruncate(file, now.st_size));
  }
  ::close(file);
  return reserved;
}

}  // namespace doorbuster::sqlite
