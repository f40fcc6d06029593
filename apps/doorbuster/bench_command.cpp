#include "apps/doorbuster/bench_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "loadlab/acks.hpp"
#include "loadlab/campaign_limit.hpp"
#include "loadlab/options.hpp"
#include "loadlab/report.hpp"
#include "loadlab/run.hpp"

namespace doorbuster {
namespace {

constexpr int kUsage = 1;
constexpr int kInvalidRun = 4;

struct BenchFlags {
  loadlab::OptionTexts load;
  std::string json_file;
  std::string html_file;
  std::string acks_file;
};

std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void count_interrupt(int) {
  interrupts.fetch_add(1);
}

/// Counts Ctrl-C and SIGTERM as long as it lives.
class InterruptCounter {
 public:
  InterruptCounter() {
    struct sigaction action {};
    action.sa_handler = count_interrupt;
    sigaction(SIGINT, &action, &before_int_);
    sigaction(SIGTERM, &action, &before_term_);
  }
  ~InterruptCounter() {
    sigaction(SIGINT, &before_int_, nullptr);
    sigaction(SIGTERM, &before_term_, nullptr);
  }
  InterruptCounter(const InterruptCounter&) = delete;
  InterruptCounter& operator=(const InterruptCounter&) = delete;

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

void complain(std::string_view text) {
  fmt::print(stderr, "doorbuster bench: {}\n", text);
}

/// Opened before the run: a path that cannot be written is better known before five minutes of load.
class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  bool open(const std::string& path) {
    path_ = path;
    if (path.empty()) return true;
    file_ = std::fopen(path.c_str(), "we");
    if (file_ == nullptr) complain(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
    return file_ != nullptr;
  }
  bool wanted() const { return file_ != nullptr; }
  bool write(const std::string& text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!written || !closed) complain(fmt::format("{} is not complete: {}", path_, std::strerror(errno)));
    return written && closed;
  }

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
};

class Progress {
 public:
  Progress() : terminal_(isatty(STDERR_FILENO) != 0) {}
  void show(const loadlab::LiveCounts& counts) {
    if (!terminal_) return;
    fmt::print(stderr, "\r\x1b[K{}", loadlab::progress_line(before_, counts));
    std::fflush(stderr);
    before_ = counts;
    shown_ = true;
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
    shown_ = false;
  }

 private:
  bool terminal_;
  bool shown_ = false;
  loadlab::LiveCounts before_;
};

int bench(const BenchFlags& flags) {
  const auto options = loadlab::parse_options(flags.load);
  if (!options) {
    complain(options.error().detail);
    return kUsage;
  }
  OutputFile json;
  OutputFile html;
  if (!json.open(flags.json_file) || !html.open(flags.html_file)) return kUsage;
  std::unique_ptr<loadlab::AcksFile> acks;
  if (!flags.acks_file.empty()) {
    auto created = loadlab::AcksFile::create(flags.acks_file);
    if (!created) {
      complain(created.error().detail);
      return kUsage;
    }
    acks = std::move(*created);
  }
  interrupts = 0;
  const InterruptCounter counter;
  Progress progress;
  loadlab::RunHooks hooks;
  hooks.interrupts = &interrupts;
  hooks.acks = acks.get();
  hooks.progress = [&progress](const loadlab::LiveCounts& counts) { progress.show(counts); };
  const auto limit_before = loadlab::ask_limit(*options);
  auto result = loadlab::run_load(*options, hooks);
  progress.clear();
  if (!result) {
    complain(result.error().detail);
    return kUsage;
  }
  // It may have been raised meanwhile: no number is above the higher of the two.
  if (const auto limit_after = limit_before ? loadlab::ask_limit(*options) : std::nullopt) {
    result->limit = std::max(*limit_before, *limit_after);
  }
  const auto report = loadlab::make_report(*options, std::move(*result));
  bool complete = true;
  if (acks != nullptr) {
    if (const auto closed = acks->close(); !closed) {
      complain(closed.error().detail);
      complete = false;
    }
  }
  if (json.wanted() && !json.write(loadlab::to_json(report))) complete = false;
  if (html.wanted() && !html.write(loadlab::to_html(report))) complete = false;
  if (report.requests_sent == 0 && !report.invalid.empty()) {
    complain(report.invalid);
  } else {
    fmt::print("{}", loadlab::to_text(report));
  }
  const int status = report.exit_status();
  return status == 0 && !complete ? kInvalidRun : status;
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("bench", "Load generator: asks for coupons and reports how it went");
  auto flags = std::make_shared<BenchFlags>();
  auto& load = flags->load;
  command
      ->add_option("URL", load.urls,
                   "http://host:port, several separated by commas. With a path, that path is asked")
      ->required();
  command->add_option("--campaign", load.campaign, "Campaign to ask for")->capture_default_str();
  command->add_option("--vusers", load.vusers, "Virtual users, exactly so many")->capture_default_str();
  command->add_option("--duration", load.duration, "Measured time: 30s, 5m");
  command->add_option("--requests", load.requests, "Instead: exactly so many measured requests");
  command->add_option(
      "--rate", load.rate,
      "Requests a second (open loop); without it every virtual user asks as fast as it is answered");
  command->add_option("--ramp-up", load.ramp_up,
                      "Time until all virtual users, or the full rate, are at work");
  command->add_option("--warm-up", load.warm_up, "Time before the measured time; not counted");
  command->add_option("--connections", load.connections, "keep-alive or per-request")->capture_default_str();
  command->add_option("--users", load.users, "unique, or repeat:K: every user asks K times")
      ->capture_default_str();
  command->add_option("--first-user", load.first_user,
                      "User ids count up from here; default: a random number");
  command->add_option("--timeout", load.timeout, "Longest wait for a reply")->capture_default_str();
  command->add_option("--token", load.token, "Sent as Authorization: Bearer");
  command->add_option("--threads", load.threads, "Threads of the generator")->capture_default_str();
  command->add_flag("--retry", load.retry,
                    "After 503 or 429 (when Retry-After is over) or no reply, ask again for the same user");
  command->add_flag("--allow-busy-generator", load.busy_generator_allowed,
                    "A generator without room left is a warning, not exit status 4: for CPU per request");
  command
      ->add_option("--threshold", load.thresholds,
                   "What must hold, else exit status 2: p99<50ms, tps>=1000, errors<1%. Repeatable")
      ->allow_extra_args(false);
  command->add_option("--json", flags->json_file, "Writes the figures as JSON");
  command->add_option("--html", flags->html_file, "Writes a page with charts");
  command->add_option("--acks", flags->acks_file, "Writes a JSON line for every request sent");
  command->callback([flags, &exit_code] { exit_code = bench(*flags); });
}

}  // namespace doorbuster
