#include "apps/doorbuster/child_process.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

namespace doorbuster {
namespace {

/// Started as /proc/self/exe, the child would be named `exe` in `top` and `pgrep`.
Result<std::string> own_path() {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return path.string();
  return make_error(ErrorCode::unavailable, fmt::format("cannot read /proc/self/exe: {}", error.message()));
}

}  // namespace

Result<void> ChildProcess::start(const std::vector<std::string>& arguments) {
  const auto path = own_path();
  if (!path) return path.error();
  std::vector<char*> argv;
  std::string program = "doorbuster";  // as `ps` shows it
  argv.push_back(program.data());
  auto copies = arguments;
  for (auto& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0)
    return make_error(ErrorCode::unavailable,
                      fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(0);  // the parent ended before the line above
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execv(path->c_str(), argv.data());
    ::_exit(127);
  }
  pid_ = child;
  return {};
}

std::optional<int> ChildProcess::poll() {
  if (pid_ <= 0) return std::nullopt;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ChildProcess::stop(std::chrono::milliseconds patience) {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (poll()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace doorbuster
