#pragma once
// An SQLite file system that fails when told to: disk full, input/output error, on the n-th write or sync.
// Everything else goes to the default file system.

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>

#include "base/error.hpp"

namespace doorbuster::test {

/// Registered for its lifetime; connections through it must be closed before. Thread-safe.
class FaultVfs {
 public:
  enum class Operation : std::uint8_t { write, sync };

  FaultVfs() : name_("fault-" + std::to_string(next_number()++)), real_(sqlite3_vfs_find(nullptr)) {
    vfs_ = *real_;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = open;
    DOORBUSTER_ASSERT(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
  }
  ~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const { return name_; }

  /// The `n`-th operation from now (1: the next) on files whose name ends with `suffix` fails with `code`
  /// (SQLITE_FULL, SQLITE_IOERR_FSYNC ...), and all behind it until heal().
  void fail(Operation operation, int n, int code, std::string suffix = {}) {
    std::lock_guard lock(mutex_);
    plan_ = {operation, n, code, std::move(suffix), true};
  }
  void heal() {
    std::lock_guard lock(mutex_);
    plan_.armed = false;
  }
  /// Runs inside each sync, before it; to hold a commit while a test looks on.
  void on_sync(std::function<void(const std::string& file)> hook) {
    std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }
  int failures() const { return failures_.load(); }

 private:
  struct File {
    sqlite3_file base;
    FaultVfs* owner;
    const char* name;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  struct Plan {
    Operation operation = Operation::write;
    int left = 0;
    int code = SQLITE_OK;
    std::string suffix;
    bool armed = false;
  };

  static std::atomic<int>& next_number() {
    static std::atomic<int> number{1};
    return number;
  }
  static File* mine(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return mine(file)->real(); }

  int outcome(Operation operation, const char* name) {
    std::lock_guard lock(mutex_);
    if (!plan_.armed || plan_.operation != operation) return SQLITE_OK;
    if (!std::string_view(name == nullptr ? "" : name).ends_with(plan_.suffix)) return SQLITE_OK;
    if (--plan_.left > 0) return SQLITE_OK;
    ++failures_;
    return plan_.code;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* self = static_cast<FaultVfs*>(vfs->pAppData);
    auto* opened = mine(file);
    opened->base.pMethods = nullptr;
    opened->owner = self;
    opened->name = name;
    const int code = self->real_->xOpen(self->real_, name, opened->real(), flags, out_flags);
    if (opened->real()->pMethods != nullptr) opened->base.pMethods = methods();
    return code;
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const int code = mine(file)->owner->outcome(Operation::write, mine(file)->name);
    return code != SQLITE_OK ? code : real(file)->pMethods->xWrite(real(file), data, size, offset);
  }
  static int sync(sqlite3_file* file, int flags) {
    auto* owner = mine(file)->owner;
    std::function<void(const std::string&)> hook;
    {
      std::lock_guard lock(owner->mutex_);
      hook = owner->hook_;
    }
    if (hook) hook(mine(file)->name == nullptr ? "" : mine(file)->name);
    const int code = owner->outcome(Operation::sync, mine(file)->name);
    return code != SQLITE_OK ? code : real(file)->pMethods->xSync(real(file), flags);
  }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table = [] {
      sqlite3_io_methods m{};
      m.iVersion = 3;
      m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
      m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
        return real(f)->pMethods->xRead(real(f), to, size, at);
      };
      m.xWrite = write;
      m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        return real(f)->pMethods->xTruncate(real(f), size);
      };
      m.xSync = sync;
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
        return real(f)->pMethods->xFileSize(real(f), size);
      };
      m.xLock = [](sqlite3_file* f, int kind) { return real(f)->pMethods->xLock(real(f), kind); };
      m.xUnlock = [](sqlite3_file* f, int kind) { return real(f)->pMethods->xUnlock(real(f), kind); };
      m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
        return real(f)->pMethods->xCheckReservedLock(real(f), out);
      };
      m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
        return real(f)->pMethods->xFileControl(real(f), op, arg);
      };
      m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
      m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return real(f)->pMethods->xDeviceCharacteristics(real(f));
      };
      m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
        return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
      };
      m.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
        return real(f)->pMethods->xShmLock(real(f), at, n, flags);
      };
      m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
      m.xShmUnmap = [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); };
      m.xFetch = [](sqlite3_file*, sqlite3_int64, int, void** out) {
        *out = nullptr;  // no memory map: every write is seen here
        return SQLITE_OK;
      };
      m.xUnfetch = [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; };
      return m;
    }();
    return &table;
  }

  std::string name_;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_{};
  std::mutex mutex_;
  Plan plan_;
  std::function<void(const std::string&)> hook_;
  std::atomic<int> failures_{0};
};

}  // namespace doorbuster::test
