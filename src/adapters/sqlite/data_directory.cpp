#include "adapters/sqlite/data_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace doorbuster::sqlite {
namespace {

std::string holder_of(int file) {
  char text[128];
  const auto size = ::pread(file, text, sizeof text, 0);
  if (size <= 0) return "another process";
  std::string_view line(text, static_cast<std::size_t>(size));
  line = line.substr(0, line.find('\n'));
  // The line is "PID ROLE"; anything else was not written by us, and is not repeated.
  const auto digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || line[digits] != ' ') return "another process";
  return fmt::format("process {} (doorbuster {})", line.substr(0, digits), line.substr(digits + 1));
}

}  // namespace

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

Result<DataDirectory> DataDirectory::acquire(const std::string& path, std::string_view role) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("{}: the data folder cannot be made ({})", path, failed.message()));
  }
  const auto lock_path = path + "/lock";
  DataDirectory directory;
  directory.path_ = path;
  directory.lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (directory.lock_ < 0) {
    const int error = errno;
    return make_error(
        ErrorCode::unavailable,
        fmt::format("{}: the data folder cannot be written ({}); make it writable for this user, or "
                    "name another one with --data",
                    path, std::strerror(error)));
  }
  if (::flock(directory.lock_, LOCK_EX | LOCK_NB) != 0) {
    return make_error(
        ErrorCode::conflict,
        fmt::format("{}: the data folder is in use by {}; stop that one, or name another folder "
                    "with --data",
                    path, holder_of(directory.lock_)));
  }
  const auto line = fmt::format("{} {}\n", ::getpid(), role);
  if (::ftruncate(directory.lock_, 0) != 0 ||
      ::pwrite(directory.lock_, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("{}: cannot be written ({})", lock_path, std::strerror(errno)));
  }
  return directory;
}

}  // namespace doorbuster::sqlite
