#include "loadlab/svg_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace doorbuster::loadlab {
namespace {

constexpr double kWidth = 920;
constexpr double kHeight = 240;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 18;
constexpr double kBottom = 34;

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:g}", value);
}

}  // namespace

std::vector<double> round_steps(double most, int count) {
  if (!(most > 0)) return {0, 1};
  const auto rough = most / count;
  const auto power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> steps;
  for (int i = 0; steps.empty() || steps.back() < most * (1 - 1e-9); ++i) steps.push_back(i * step);
  return steps;
}

std::string line_chart(const std::vector<Series>& all, const ChartAxes& axes) {
  double most_x = 0;
  double most_y = 0;
  for (const auto& series : all) {
    for (const auto& point : series.points) {
      most_x = std::max(most_x, point.x);
      most_y = std::max(most_y, point.y);
    }
  }
  if (most_x <= 0) most_x = 1;
  const auto y_steps = round_steps(most_y, 4);
  const auto x_of = [&](double x) { return kLeft + (kWidth - kLeft - kRight) * x / most_x; };
  const auto y_of = [&](double y) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * y / y_steps.back();
  };

  std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">", kWidth, kHeight);
  auto at = std::back_inserter(out);
  for (const auto y : y_steps) {
    fmt::format_to(at,
                   "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"var(--line)\"/>"
                   "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                   kLeft, kWidth - kRight, y_of(y), y_of(y), kLeft - 8, y_of(y) + 4, short_number(y));
  }
  auto labels = axes.x_labels;
  if (labels.empty()) {
    for (const auto x : round_steps(most_x, 8)) labels.emplace_back(x, short_number(x));
  }
  for (const auto& [x, text] : labels) {
    if (x > most_x * (1 + 1e-9)) continue;
    fmt::format_to(at, "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x_of(x), kHeight - 16,
                   text);
  }
  fmt::format_to(at, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", kWidth - kRight, kHeight - 2,
                 axes.x_title);
  fmt::format_to(at, "<text x=\"{}\" y=\"11\" text-anchor=\"end\">{}</text>", kLeft - 8, axes.y_title);
  for (const auto& series : all) {
    if (series.points.empty()) continue;
    fmt::format_to(
        at,
        "<polyline fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke=\"var({})\" points=\"",
        series.colour);
    for (const auto& point : series.points)
      fmt::format_to(at, "{:.1f},{:.1f} ", x_of(point.x), y_of(point.y));
    out += "\"/>";
  }
  return out + "</svg>";
}

}  // namespace doorbuster::loadlab
