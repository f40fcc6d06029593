// A power cut for one process: an LD_PRELOAD library that keeps, beside every file below DOORBUSTER_LOSE_DIR,
// a twin `FILE.durable` with what the file held at its last fsync. After `kill -9`, put_back.py turns each
// file into its twin. README.md beside this file says how it is used and what it does not model.
//
// Invariants
//  1. A twin changes only inside fsync and fdatasync (and follows unlink and rename): whatever the process
//  does
//     otherwise, a kill leaves in the twin what the disk had promised.
//  2. fsync returns success only after the twin holds every range that a write had put into the file before.
//  3. Nothing is done to files outside the folder, to twins, and to `-shm` files.
// Any thread; one lock around everything but the writes themselves. No C++ library objects with destructors
// are used at exit: the process may still write then.

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

// The functions underneath, looked up at the first use: other libraries may write before this one is set up.
struct Real {
  ssize_t (*write)(int, const void*, size_t) = next<decltype(write)>("write");
  ssize_t (*pwrite)(int, const void*, size_t, off_t) = next<decltype(pwrite)>("pwrite");
  ssize_t (*writev)(int, const iovec*, int) = next<decltype(writev)>("writev");
  ssize_t (*pwritev)(int, const iovec*, int, off_t) = next<decltype(pwritev)>("pwritev");
  int (*fsync)(int) = next<decltype(fsync)>("fsync");
  int (*fdatasync)(int) = next<decltype(fdatasync)>("fdatasync");
  int (*ftruncate)(int, off_t) = next<decltype(ftruncate)>("ftruncate");
  int (*unlink)(const char*) = next<decltype(unlink)>("unlink");
  int (*rename)(const char*, const char*) = next<decltype(rename)>("rename");
};

const Real& real() {
  static const Real functions;
  return functions;
}

constexpr const char* kSuffix = ".durable";
constexpr const char* kUnsynced = ".unsynced";  // stands beside a new file until its first fsync

using FileId = std::pair<dev_t, ino_t>;

struct Watched {
  std::string path;
  bool all_dirty = false;                        // what an earlier process wrote is not known
  off_t smallest = -1;                           // smallest size since the last fsync; -1: never cut
  std::vector<std::pair<off_t, off_t>> written;  // [from, to) since the last fsync
};

struct State {
  std::mutex mutex;
  std::map<FileId, Watched> files;
  bool ignore_fsync = std::getenv("DOORBUSTER_IGNORE_FSYNC") != nullptr;
};

State& state() {
  static auto* everything = new State;
  return *everything;
}

/// With a slash at the end; empty while the folder is not there or the variable is not set.
const std::string& lose_dir() {
  static std::string resolved;  // under the lock of state()
  if (resolved.empty()) {
    const char* wanted = std::getenv("DOORBUSTER_LOSE_DIR");
    char path[PATH_MAX];
    if (wanted != nullptr && ::realpath(wanted, path) != nullptr) resolved = std::string(path) + "/";
  }
  return resolved;
}

bool ends_with(const std::string& text, const char* end) {
  const auto size = std::strlen(end);
  return text.size() >= size && text.compare(text.size() - size, size, end) == 0;
}

bool watched_path(const std::string& path) {
  const auto& folder = lose_dir();
  return !folder.empty() && path.compare(0, folder.size(), folder) == 0 && !ends_with(path, kSuffix) &&
         !ends_with(path, kUnsynced) && !ends_with(path, "-shm");
}

/// Copies [from, to) of one file to the same place of the other. What lies behind the end is left out.
bool copy_range(int source, int target, off_t from, off_t to) {
  static thread_local char buffer[64 * 1024];
  while (from < to) {
    const auto wanted = std::min<off_t>(to - from, sizeof buffer);
    const auto got = ::pread(source, buffer, static_cast<size_t>(wanted), from);
    if (got <= 0) return got == 0;
    for (ssize_t done = 0; done < got;) {
      const auto put = real().pwrite(target, buffer + done, static_cast<size_t>(got - done), from + done);
      if (put < 0) return false;
      done += put;
    }
    from += got;
  }
  return true;
}

/// As copy_range(). The descriptor itself is read where it can be: opening the file anew and closing that
/// drops the POSIX locks that SQLite holds on it in this process.
bool copy_from(int descriptor, int target, off_t from, off_t to) {
  char probe;
  if (::pread(descriptor, &probe, 1, from) >= 0) return copy_range(descriptor, target, from, to);
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const int again = ::open(link, O_RDONLY | O_CLOEXEC);
  if (again < 0) return false;
  const bool good = copy_range(again, target, from, to);
  ::close(again);
  return good;
}

/// Sockets, pipes and terminals are let through without the lock.
bool regular(int descriptor) {
  const int saved = errno;
  struct stat info {};
  const bool yes = ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  errno = saved;
  return yes;
}

/// Under the lock: the entry of a regular file below the folder, or null. The first look at a file that was
/// there before, and has no twin, makes the twin from it as it is.
Watched* find(int descriptor) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  auto& files = state().files;
  const FileId id{info.st_dev, info.st_ino};
  if (const auto known = files.find(id); known != files.end()) return &known->second;

  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const auto size = ::readlink(link, path, sizeof path - 1);
  if (size <= 0) return nullptr;
  std::string name(path, static_cast<size_t>(size));
  if (!watched_path(name)) return nullptr;

  Watched file;
  file.path = name;
  const auto twin = name + kSuffix;
  const auto unsynced = name + kUnsynced;
  if (::access(twin.c_str(), F_OK) == 0) {
    file.all_dirty = true;
  } else if (info.st_size == 0 || ::access(unsynced.c_str(), F_OK) == 0) {
    file.all_dirty = true;
    const int mark = ::open(unsynced.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (mark >= 0) ::close(mark);
  } else {
    // Under another name first, so that a kill leaves no half twin.
    const auto half = twin + ".half";
    const int to = ::open(half.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (to >= 0 && copy_from(descriptor, to, 0, info.st_size)) real().rename(half.c_str(), twin.c_str());
    if (to >= 0) ::close(to);
  }
  return &files.emplace(id, std::move(file)).first->second;
}

/// Before a write: the twin must be made from what was there until now.
void meet(int descriptor) {
  if (!regular(descriptor)) return;
  const int saved = errno;
  {
    std::lock_guard lock(state().mutex);
    find(descriptor);
  }
  errno = saved;
}

void note(int descriptor, off_t from, ssize_t size) {
  if (size <= 0 || !regular(descriptor)) return;
  const int saved = errno;
  {
    std::lock_guard lock(state().mutex);
    if (auto* file = find(descriptor)) {
      auto& ranges = file->written;
      if (!ranges.empty() && ranges.back().second == from) {
        ranges.back().second += size;
      } else {
        ranges.emplace_back(from, from + size);
      }
    }
  }
  errno = saved;
}

/// write() moves the offset, or appends: what it wrote ends where the offset is now.
void note_at_offset(int descriptor, ssize_t size) {
  if (size <= 0 || !regular(descriptor)) return;
  const int saved = errno;
  const auto end = ::lseek(descriptor, 0, SEEK_CUR);
  errno = saved;
  if (end >= 0) note(descriptor, end - size, size);
}

bool make_durable(int descriptor) {
  std::lock_guard lock(state().mutex);
  auto* file = find(descriptor);
  if (file == nullptr) return true;
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return false;
  // By the descriptor's link and not by name: the file may have been unlinked, and its twin is then gone for
  // good.
  if (info.st_nlink == 0) return true;
  const int target = ::open((file->path + kSuffix).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (target < 0) return false;
  bool good = true;
  if (file->smallest >= 0) good = real().ftruncate(target, file->smallest) == 0;
  good = good && real().ftruncate(target, info.st_size) == 0;
  if (file->all_dirty) file->written.assign(1, {0, info.st_size});
  for (const auto& [from, to] : file->written) good = good && copy_from(descriptor, target, from, to);
  ::close(target);
  if (good) {
    real().unlink((file->path + kUnsynced).c_str());
    file->all_dirty = false;
    file->smallest = -1;
    file->written.clear();
  }
  return good;
}

int sync_with(int descriptor, int (*sync)(int)) {
  if (state().ignore_fsync) {
    std::lock_guard lock(state().mutex);
    if (find(descriptor) != nullptr) return 0;
  }
  if (const int code = sync(descriptor); code != 0) return code;
  if (make_durable(descriptor)) return 0;
  std::fprintf(stderr, "lost_writes: cannot keep what was synced: %s\n", std::strerror(errno));
  errno = EIO;
  return -1;
}

std::string absolute(const char* path) {
  char resolved[PATH_MAX];
  return ::realpath(path, resolved) != nullptr ? resolved : std::string();
}

off_t total(const iovec* parts, int count) {
  off_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += static_cast<off_t>(parts[i].iov_len);
  return bytes;
}

}  // namespace

#define LOST_WRITES_EXPORT extern "C" __attribute__((visibility("default")))

LOST_WRITES_EXPORT ssize_t write(int descriptor, const void* data, size_t size) {
  meet(descriptor);
  const auto done = real().write(descriptor, data, size);
  note_at_offset(descriptor, done);
  return done;
}

LOST_WRITES_EXPORT ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  meet(descriptor);
  const auto done = real().pwrite(descriptor, data, size, offset);
  note(descriptor, offset, done);
  return done;
}

LOST_WRITES_EXPORT ssize_t pwrite64(int descriptor, const void* data, size_t size, off_t offset) {
  return pwrite(descriptor, data, size, offset);
}

LOST_WRITES_EXPORT ssize_t writev(int descriptor, const iovec* parts, int count) {
  if (total(parts, count) == 0) return real().writev(descriptor, parts, count);
  meet(descriptor);
  const auto done = real().writev(descriptor, parts, count);
  note_at_offset(descriptor, done);
  return done;
}

LOST_WRITES_EXPORT ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  meet(descriptor);
  const auto done = real().pwritev(descriptor, parts, count, offset);
  note(descriptor, offset, done);
  return done;
}

LOST_WRITES_EXPORT ssize_t pwritev64(int descriptor, const iovec* parts, int count, off_t offset) {
  return pwritev(descriptor, parts, count, offset);
}

LOST_WRITES_EXPORT int ftruncate(int descriptor, off_t size) noexcept {
  meet(descriptor);
  const int code = real().ftruncate(descriptor, size);
  if (code != 0) return code;
  std::lock_guard lock(state().mutex);
  if (auto* file = find(descriptor))
    file->smallest = file->smallest < 0 ? size : std::min(file->smallest, size);
  return 0;
}

LOST_WRITES_EXPORT int ftruncate64(int descriptor, off_t size) noexcept {
  return ftruncate(descriptor, size);
}

LOST_WRITES_EXPORT int fsync(int descriptor) {
  return sync_with(descriptor, real().fsync);
}

LOST_WRITES_EXPORT int fdatasync(int descriptor) {
  return sync_with(descriptor, real().fdatasync);
}

LOST_WRITES_EXPORT int unlink(const char* path) noexcept {
  const auto name = absolute(path);
  const int code = real().unlink(path);
  if (code != 0 || name.empty()) return code;
  std::lock_guard lock(state().mutex);
  if (!watched_path(name)) return 0;
  real().unlink((name + kSuffix).c_str());
  real().unlink((name + kUnsynced).c_str());
  auto& files = state().files;
  for (auto at = files.begin(); at != files.end();)
    at = at->second.path == name ? files.erase(at) : std::next(at);
  return 0;
}

LOST_WRITES_EXPORT int rename(const char* from, const char* to) noexcept {
  const auto old_name = absolute(from);
  const int code = real().rename(from, to);
  if (code != 0 || old_name.empty()) return code;
  const auto new_name = absolute(to);
  std::lock_guard lock(state().mutex);
  if (!watched_path(old_name) || !watched_path(new_name)) return 0;
  auto& files = state().files;
  for (auto at = files.begin(); at != files.end();)
    at = at->second.path == new_name ? files.erase(at) : std::next(at);
  for (const char* suffix : {kSuffix, kUnsynced}) {
    // What stood beside the file that was replaced goes with it.
    if (real().rename((old_name + suffix).c_str(), (new_name + suffix).c_str()) != 0) {
      real().unlink((new_name + suffix).c_str());
    }
  }
  for (auto& [id, file] : files) {
    if (file.path == old_name) file.path = new_name;
  }
  return 0;
}
