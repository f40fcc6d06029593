#pragma once
// Numbers for Prometheus, text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "obs/histogram.hpp"
#include "obs/size_histogram.hpp"

namespace doorbuster::obs {

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4";

/// Collects samples and puts those of one name together, as the format wants. One thread.
/// Names and help texts are literals of the program: `doorbuster_issue_requests_total`, units last, in
/// seconds and bytes. The first sample of a name fixes its help and type.
class MetricsWriter {
 public:
  using Labels = std::span<const std::pair<std::string_view, std::string_view>>;
  using LabelList = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void counter(std::string_view name, std::string_view help, std::uint64_t value, LabelList labels = {});
  void gauge(std::string_view name, std::string_view help, double value, LabelList labels = {});
  /// Seconds, with the bounds default_bounds().
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram,
                 LabelList labels = {});
  /// Sizes, with the bounds of SizeHistogram.
  void histogram(std::string_view name, std::string_view help, const SizeHistogram& histogram,
                 LabelList labels = {});

  /// 100 us to 10 s.
  static std::span<const Duration> default_bounds();

  std::string text() const;

 private:
  struct Family {
    std::string name;
    std::string help;
    std::string_view type;
    std::string samples;
  };
  std::string& family(std::string_view name, std::string_view help, std::string_view type);

  std::vector<Family> families_;
};

/// Writes the present numbers of one part of the program.
using Collect = std::function<void(MetricsWriter&)>;

/// Everybody who has numbers to show. Filled at start by one thread, then only read, by any.
class Registry {
 public:
  using Written = UniqueFunction<void(MetricsWriter)>;

  /// `collect` runs on whatever thread asks: it reads atomic values and what is thread-safe.
  void add(Collect collect) { collectors_.push_back({nullptr, std::move(collect)}); }
  /// `collect` runs on `owner`, to which its numbers belong.
  void add(Executor& owner, Collect collect) { collectors_.push_back({&owner, std::move(collect)}); }

  /// Asks one after another and ends on `home`, within the call when nobody lives elsewhere. Called on
  /// `home`. An owner that has stopped loses `done` unanswered.
  void write(Executor& home, Written done) const;

 private:
  struct Collector {
    Executor* owner;
    Collect collect;
  };
  struct Round;
  static void go_on(std::shared_ptr<Round> round);

  std::vector<Collector> collectors_;
};

}  // namespace doorbuster::obs
