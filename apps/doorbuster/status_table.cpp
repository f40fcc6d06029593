#include "apps/doorbuster/status_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace doorbuster {
namespace {

constexpr std::size_t kGap = 2;

struct Column {
  const char* head;
  int importance;  // the least important is left out first
  bool to_the_right;
  std::string (*text)(const ProcessStatus& process);
};

std::string or_dash(const std::optional<double>& number, std::string (*text)(double)) {
  return number ? text(*number) : "-";
}

const std::array kColumns = {
    Column{"role", 9, false, [](const ProcessStatus& one) { return one.name; }},
    Column{"pid", 5, true,
           [](const ProcessStatus& one) { return one.pid > 0 ? std::to_string(one.pid) : "-"; }},
    Column{"port", 7, true, [](const ProcessStatus& one) { return std::to_string(one.port); }},
    Column{"state", 8, false, [](const ProcessStatus& one) { return one.state; }},
    Column{"restarts", 4, true, [](const ProcessStatus& one) { return std::to_string(one.restarts); }},
    Column{"req/s", 6, true,
           [](const ProcessStatus& one) { return or_dash(one.requests_per_second, short_number); }},
    Column{"cpu", 3, true,
           [](const ProcessStatus& one) {
             return or_dash(one.cpu_percent, [](double percent) { return fmt::format("{:.0f} %", percent); });
           }},
    Column{"memory", 2, true,
           [](const ProcessStatus& one) { return one.memory_bytes ? short_bytes(*one.memory_bytes) : "-"; }},
};

std::string padded(const std::string& text, std::size_t width, bool to_the_right) {
  const std::string blanks(width - std::min(width, text.size()), ' ');
  return to_the_right ? blanks + text : text + blanks;
}

}  // namespace

std::string short_number(double number) {
  if (number >= 10'000'000) return fmt::format("{:.1f} M", number / 1'000'000);
  if (number >= 100'000) return fmt::format("{:.0f} k", number / 1000);
  if (number >= 10'000) return fmt::format("{:.1f} k", number / 1000);
  return fmt::format("{:.0f}", number);
}

std::string short_bytes(std::uint64_t bytes) {
  constexpr double mega = 1 << 20;
  const auto megabytes = static_cast<double>(bytes) / mega;
  return megabytes >= 10'000 ? fmt::format("{:.1f} GB", megabytes / 1024)
                             : fmt::format("{:.0f} MB", megabytes);
}

std::vector<std::string> render_table(const std::vector<ProcessStatus>& processes, std::size_t width) {
  std::array<std::size_t, kColumns.size()> widths{};
  std::size_t total = 0;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    widths[i] = std::string_view(kColumns[i].head).size();
    for (const auto& one : processes) widths[i] = std::max(widths[i], kColumns[i].text(one).size());
    total += widths[i] + kGap;
  }
  while (total > width + kGap) {
    std::size_t least = kColumns.size();
    std::size_t left = 0;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (widths[i] == 0) continue;
      ++left;
      if (least == kColumns.size() || kColumns[i].importance < kColumns[least].importance) least = i;
    }
    if (left <= 1) break;
    total -= widths[least] + kGap;
    widths[least] = 0;
  }
  std::vector<std::string> lines(processes.size() + 1);
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    if (widths[i] == 0) continue;
    for (std::size_t row = 0; row < lines.size(); ++row) {
      if (!lines[row].empty()) lines[row].append(kGap, ' ');
      lines[row] += padded(row == 0 ? kColumns[i].head : kColumns[i].text(processes[row - 1]), widths[i],
                           kColumns[i].to_the_right);
    }
  }
  for (auto& line : lines) {
    line.resize(std::min(line.size(), width));
    line.erase(line.find_last_not_of(' ') + 1);
  }
  return lines;
}

}  // namespace doorbuster
