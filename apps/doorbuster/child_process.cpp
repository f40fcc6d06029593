#include "apps/doorbuster/child_process.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace doorbuster {
namespace {

/// The program's own path. Run as /proc/self/exe, the process would be named `exe`.
Result<std::string> own_path() {
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length > 0) return std::string(path.data(), static_cast<std::size_t>(length));
  return make_error(ErrorCode::unavailable,
                    fmt::format("/proc/self/exe cannot be read: {}", std::strerror(errno)));
}

/// In the child, between fork and exec.
[[noreturn]] void become(const char* path, char* const* words, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have ended before the line above.
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(path, words);
  ::_exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments) {
  const auto path = own_path();
  if (!path) return path.error();
  std::vector<std::string> texts = {"doorbuster"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  for (auto& text : texts) words.push_back(text.data());
  words.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(path->c_str(), words.data(), parent);
  if (pid < 0) {
    return make_error(ErrorCode::unavailable,
                      fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
  return ChildProcess(pid);
}

std::optional<ChildProcess::End> ChildProcess::poll() {
  int status = 0;
  if (end_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return end_;
  end_ = WIFSIGNALED(status) ? End{0, WTERMSIG(status)} : End{WEXITSTATUS(status), 0};
  return end_;
}

void ChildProcess::send(int signal) const {
  if (!end_) ::kill(pid_, signal);
}

}  // namespace doorbuster
