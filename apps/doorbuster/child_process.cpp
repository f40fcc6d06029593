#include "apps/doorbuster/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

namespace doorbuster {
namespace {

constexpr std::size_t kLongestLine = 16 * 1024;

/// Started as /proc/self/exe, the child would be named `exe` in `top` and `pgrep`.
Result<std::string> own_path() {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return path.string();
  return make_error(ErrorCode::unavailable, fmt::format("cannot read /proc/self/exe: {}", error.message()));
}

Error cannot_start() {
  return make_error(ErrorCode::unavailable, fmt::format("cannot start a process: {}", std::strerror(errno)));
}

/// In the child, between fork and exec: async-signal-safe calls only.
void prepare_child(pid_t parent, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(0);  // the parent ended before the line above
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  // A line that nobody reads any more must not end it before its work is done.
  std::signal(SIGPIPE, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
}

}  // namespace

ChildProcess::~ChildProcess() {
  close_output();
}

Result<void> ChildProcess::start(const std::vector<std::string>& arguments) {
  const auto path = own_path();
  if (!path) return path.error();
  std::vector<char*> argv;
  std::string program = "doorbuster";  // as `ps` shows it
  argv.push_back(program.data());
  auto copies = arguments;
  for (auto& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_start();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    prepare_child(parent, ends[1]);
    ::execv(path->c_str(), argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return cannot_start();
  }
  close_output();
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  output_ = ends[0];
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

void ChildProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void ChildProcess::read_lines(std::vector<std::string>& lines) {
  char bytes[8192];
  while (output_ >= 0) {
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (!partial_.empty()) lines.push_back(std::exchange(partial_, {}));
      return close_output();
    }
    for (const char c : std::string_view(bytes, static_cast<std::size_t>(got))) {
      if (c != '\n' && partial_.size() < kLongestLine) {
        partial_ += c;
        continue;
      }
      lines.push_back(std::exchange(partial_, {}));
      if (c != '\n') partial_ += c;
    }
  }
}

void ChildProcess::close_output() {
  if (output_ >= 0) ::close(std::exchange(output_, -1));
}

}  // namespace doorbuster
