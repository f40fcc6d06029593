#include "apps/doorbuster/bench_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "loadlab/campaign_limit.hpp"
#include "loadlab/report.hpp"

namespace doorbuster {
namespace {

using namespace loadlab;

struct BenchTexts {
  OptionTexts load;
  std::string json;
  std::string html;
  std::string acks;
  bool allow_busy_generator = false;
};

std::atomic<int> g_interrupts{0};  // counted by the signal handler
static_assert(std::atomic<int>::is_always_lock_free);

/// While it lives, Ctrl-C and SIGTERM are counted instead of ending the program.
class CountInterrupts {
 public:
  CountInterrupts() {
    g_interrupts = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { g_interrupts.fetch_add(1, std::memory_order_relaxed); };
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
  }
  ~CountInterrupts() {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
  }
  CountInterrupts(const CountInterrupts&) = delete;
  CountInterrupts& operator=(const CountInterrupts&) = delete;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

int complain(const std::string& detail) {
  std::fprintf(stderr, "doorbuster bench: %s\n", detail.c_str());
  return kUsage;
}

/// Opened before the run, so that a bad path does not cost a run.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path)
      : path_(path), file_(path.empty() ? nullptr : std::fopen(path.c_str(), "we")) {}
  ~OutputFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  bool wanted() const { return !path_.empty(); }
  bool usable() const { return !wanted() || file_ != nullptr; }
  const std::string& path() const { return path_; }
  bool write(const std::string& text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    return written && closed;
  }

 private:
  std::string path_;
  std::FILE* file_;
};

std::function<void(const LiveCounts&)> progress_on_terminal(const Options& options) {
  if (isatty(STDERR_FILENO) == 0) return nullptr;
  return [&options, before = LiveCounts()](const LiveCounts& counts) mutable {
    std::fprintf(stderr, "\r\033[K%s", progress_line(options, counts, before).c_str());
    std::fflush(stderr);
    before = counts;
  };
}

void clear_progress() {
  if (isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
}

int bench_main(const BenchTexts& texts) {
  auto options = parse_options(texts.load);
  if (!options) return complain(options.error().detail);
  OutputFile json(texts.json);
  OutputFile html(texts.html);
  for (const auto* file : {&json, &html}) {
    if (!file->usable()) return complain("cannot write " + file->path());
  }
  RunHooks hooks;
  std::unique_ptr<AcksFile> acks;
  if (!texts.acks.empty()) {
    auto created = AcksFile::create(texts.acks);
    if (!created) return complain(created.error().detail);
    acks = std::move(*created);
    hooks.acks = acks.get();
  }
  hooks.interrupts = &g_interrupts;
  hooks.progress = progress_on_terminal(*options);

  const CountInterrupts counting;
  const auto limit_before = ask_limit(*options);
  auto run = run_load(*options, hooks);
  clear_progress();
  if (!run) return complain(run.error().detail);
  if (acks) {
    if (auto closed = acks->close(); !closed) return complain(closed.error().detail);
  }
  auto verdict = judge(run->tally, run->window);
  // It may have been raised meanwhile; a number must be below the higher of the two.
  const auto limit_after = limit_before ? ask_limit(*options) : std::nullopt;
  if (limit_after) check_limit(run->tally, std::max(*limit_before, *limit_after), verdict);

  const auto figures = make_figures(*options, *run, texts.allow_busy_generator);
  const Report report{*options, *run, figures, verdict};
  std::fputs(text_report(report).c_str(), stdout);
  bool written = true;
  if (json.wanted()) written = json.write(json_report(report)) && written;
  if (html.wanted()) written = html.write(html_report(report)) && written;
  if (!written) return complain("a report could not be written completely");
  return exit_status(figures, verdict, run->interrupted);
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  auto texts = std::make_shared<BenchTexts>();
  auto& load = texts->load;
  auto* command = app.add_subcommand("bench", "Load generator: many users ask a campaign for coupons");
  command->add_option("URL", load.urls, "Target, or several with commas: http://127.0.0.1:8080")->required();
  command->add_option("--vusers", load.vusers, "Virtual users, exactly so many")->capture_default_str();
  command->add_option("--threads", load.threads, "Threads of the generator")->capture_default_str();
  command->add_option("--duration", load.duration, "Measured time, such as 30s (or --requests)");
  command->add_option("--requests", load.requests, "Exactly so many measured requests (or --duration)");
  command->add_option("--rate", load.rate, "Open loop: requests a second; latency from the intended time");
  command->add_option("--ramp-up", load.ramp_up,
                      "Time over which virtual users (or the rate) grow to the full load");
  command->add_option("--warm-up", load.warm_up, "Time before the measured one; not counted");
  command->add_option("--campaign", load.campaign, "Id of the campaign")->capture_default_str();
  command->add_option("--connections", load.connections, "keep-alive or per-request")->capture_default_str();
  command->add_option("--users", load.users, "unique, or repeat:K: every user asks K times")
      ->capture_default_str();
  command->add_option("--first-user", load.first_user, "User ids count up from here (default: random)");
  command->add_option("--timeout", load.timeout, "Longest wait for a connection or a reply")
      ->capture_default_str();
  command->add_flag(
      "--retry", load.retry,
      "Asks again for the same user after 503 or 429 (after Retry-After), or when no reply came");
  command->add_option("--token", load.token, "Sent as Authorization: Bearer");
  command
      ->add_option("--threshold", load.thresholds,
                   "Such as 'p99<50ms', 'tps>=1000', 'errors<1%'; several allowed")
      ->allow_extra_args(false);
  command->add_flag("--allow-busy-generator", texts->allow_busy_generator,
                    "A generator without room left is a warning, not an invalid run: for CPU per request");
  command->add_option("--json", texts->json, "File for the report as JSON");
  command->add_option("--html", texts->html, "File for the report as a page with charts");
  command->add_option("--acks", texts->acks,
                      "File for one JSON line per request sent, for `doorbuster audit`");
  command->footer(
      "Exit status: 0 good, 1 usage, 2 a threshold was missed, 3 an invariant is broken, 4 run invalid, 130 "
      "interrupted.");
  command->callback([texts, &exit_code] { exit_code = bench_main(*texts); });
}

}  // namespace doorbuster
