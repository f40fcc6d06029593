#include "apps/doorbuster/console.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace doorbuster {
namespace {

struct Size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

Size terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

/// What a terminal would take for a command has no place in somebody else's line.
std::string without_controls(const std::string& text) {
  std::string clean;
  for (const char c : text) clean += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
  return clean;
}

}  // namespace

Console::Console() {
  const char* kind = std::getenv("TERM");
  has_table_ = ::isatty(STDOUT_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0 && kind != nullptr &&
               std::string_view(kind) != "dumb";
}

void Console::line(const std::string& who, const std::string& text) {
  clear();
  std::fprintf(stderr, "[%s] %s\n", who.c_str(), has_table_ ? without_controls(text).c_str() : text.c_str());
}

void Console::print(const std::string& text) {
  clear();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void Console::show(const std::vector<ProcessStatus>& processes) {
  if (!has_table_) return;
  const auto size = terminal_size();
  // One column stays free: a full line would take two rows on some terminals.
  auto lines = render_table(processes, std::max<std::size_t>(size.columns, 2) - 1);
  if (size.rows < 3) lines.clear();
  lines.resize(std::min(lines.size(), size.rows - 1));
  clear();
  std::string text;
  for (const auto& line : lines) {
    text += painted_.empty() ? fmt::format("\x1b[1m{}\x1b[0m\n", line) : line + "\n";
    painted_.push_back(line.size());
  }
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void Console::clear() {
  if (painted_.empty()) return;
  // A terminal that has become narrower has wrapped the lines.
  const auto columns = terminal_size().columns;
  std::size_t rows = 0;
  for (const auto length : painted_) rows += std::max<std::size_t>(1, (length + columns - 1) / columns);
  painted_.clear();
  std::fputs(fmt::format("\x1b[{}F\x1b[J", rows).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace doorbuster
