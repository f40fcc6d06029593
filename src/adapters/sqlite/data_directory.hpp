#pragma once
// The folder with log.db, repo.db and `lock`. One process at a time owns it.

#include <string>
#include <string_view>

#include "adapters/sqlite/database.hpp"
#include "base/error.hpp"

namespace doorbuster::sqlite {

/// Versions of the files' schemas, in `PRAGMA user_version` (docs/data_format.md). Format 1 of the log was in
/// no release.
inline constexpr FileFormats kLogFormats{2, 2};
inline constexpr FileFormats kRepositoryFormats{1, 1};

/// Holds the lock for its lifetime. The lock is the kernel's (flock): it ends with the process, however that
/// ends, and what the file says is for people.
class DataDirectory {
 public:
  DataDirectory() = default;
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) noexcept;
  ~DataDirectory();

  /// Makes the folder when it is not there and locks it. \param role written to the lock file: "api"
  /// \returns conflict naming the process that holds it, unavailable (cannot be made or written)
  static Result<DataDirectory> acquire(const std::string& path, std::string_view role);

  const std::string& path() const { return path_; }
  std::string log_path() const { return log_path(path_); }
  std::string repository_path() const { return repository_path(path_); }
  static std::string log_path(const std::string& folder) { return folder + "/log.db"; }
  static std::string repository_path(const std::string& folder) { return folder + "/repo.db"; }

 private:
  std::string path_;
  int lock_ = -1;
};

}  // namespace doorbuster::sqlite
