#pragma once
// Numbers for Prometheus, text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obs/histogram.hpp"

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

/// Writes the present numbers of one part of the program. Runs on the thread that answers `/metrics`: what it
/// reads belongs to that thread or is atomic.
using Collect = std::function<void(MetricsWriter&)>;

/// Everybody who has numbers to show. Filled at start, then only read.
class Registry {
 public:
  void add(Collect collect) { collectors_.push_back(std::move(collect)); }
  void write(MetricsWriter& out) const {
    for (const auto& collect : collectors_) collect(out);
  }

 private:
  std::vector<Collect> collectors_;
};

}  // namespace doorbuster::obs
