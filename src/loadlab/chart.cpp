#include "loadlab/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace doorbuster::loadlab {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 280;
constexpr double kLeft = 58;
constexpr double kRight = 28;
constexpr double kTop = 12;
constexpr double kBottom = 30;

/// Maps values to the drawing.
struct Scale {
  double x_from;
  double x_to;
  double y_to;

  double x(double value) const {
    const double span = x_to - x_from;
    return span <= 0 ? kLeft : kLeft + (value - x_from) / span * (kWidth - kLeft - kRight);
  }
  double y(double value) const { return kHeight - kBottom - value / y_to * (kHeight - kTop - kBottom); }
};

using Out = std::back_insert_iterator<std::string>;

void draw_axes(const Chart& chart, const Scale& scale, const std::vector<double>& steps, Out out) {
  for (const double step : steps) {
    fmt::format_to(out, R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft,
                   kWidth - kRight, scale.y(step), scale.y(step));
    fmt::format_to(out, R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", kLeft - 8,
                   scale.y(step) + 4, short_number(step));
  }
  for (const auto& tick : chart.ticks) {
    fmt::format_to(out, R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                   scale.x(tick.at), kHeight - 8, escaped(tick.label));
  }
}

std::string points(const Chart& chart, const Scale& scale, const std::vector<double>& values,
                   bool backwards) {
  std::string text;
  const auto count = values.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = backwards ? count - 1 - i : i;
    fmt::format_to(std::back_inserter(text), "{:.1f},{:.1f} ", scale.x(chart.positions[at]),
                   scale.y(values[at]));
  }
  return text;
}

void draw_stack(const Chart& chart, const Scale& scale, Out out) {
  std::vector<double> floor(chart.positions.size(), 0.0);
  for (const auto& series : chart.series) {
    std::vector<double> top(floor);
    for (std::size_t i = 0; i < top.size(); ++i) top[i] += series.values[i];
    fmt::format_to(out, R"(<polygon style='fill:var({})' class="area" points="{}{}"/>)", series.colour,
                   points(chart, scale, top, false), points(chart, scale, floor, true));
    floor = std::move(top);
  }
}

void draw_lines(const Chart& chart, const Scale& scale, Out out) {
  for (const auto& series : chart.series) {
    const auto line = points(chart, scale, series.values, false);
    if (chart.filled) {
      fmt::format_to(out,
                     R"(<polygon style='fill:var({})' class="soft" points="{:.1f},{:.1f} {}{:.1f},{:.1f}"/>)",
                     series.colour, scale.x(chart.positions.front()), scale.y(0), line,
                     scale.x(chart.positions.back()), scale.y(0));
    }
    fmt::format_to(out, R"(<polyline style='stroke:var({})' class="line" points="{}"/>)", series.colour,
                   line);
  }
}

/// Invisible columns that carry the hover text.
void draw_hover(const Chart& chart, const Scale& scale, Out out) {
  const auto count = chart.positions.size();
  for (std::size_t i = 0; i < count; ++i) {
    const double here = scale.x(chart.positions[i]);
    const double before = i == 0 ? here : scale.x(chart.positions[i - 1]);
    const double after = i + 1 == count ? here : scale.x(chart.positions[i + 1]);
    const double from = i == 0 ? kLeft : (before + here) / 2;
    const double to = i + 1 == count ? kWidth - kRight : (here + after) / 2;
    std::string text = chart.names[i];
    for (const auto& series : chart.series) {
      if (series.values[i] == 0 && chart.series.size() > 1) continue;
      text += fmt::format("\n{}: {:.6g} {}", series.name, series.values[i], chart.unit);
    }
    fmt::format_to(out, R"(<rect class="hover" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">)", from,
                   kTop, std::max(to - from, 0.5), kHeight - kTop - kBottom);
    fmt::format_to(out, "<title>{}</title></rect>", escaped(text));
  }
}

}  // namespace

std::string to_svg(const Chart& chart) {
  if (chart.positions.size() == 1) {  // one value holds for the whole width, and a point would not be seen
    Chart wide = chart;
    wide.positions.push_back(chart.positions.front() + 1);
    wide.names.push_back(chart.names.front());
    for (auto& series : wide.series) series.values.push_back(series.values.front());
    for (auto& tick : wide.ticks) tick.at += 0.5;
    return to_svg(wide);
  }
  double largest = 0;
  for (std::size_t i = 0; i < chart.positions.size(); ++i) {
    double sum = 0;
    for (const auto& series : chart.series) {
      sum = chart.stacked ? sum + series.values[i] : std::max(sum, series.values[i]);
    }
    largest = std::max(largest, sum);
  }
  const auto steps = axis_steps(largest, 5);
  const Scale scale{chart.positions.front(), chart.positions.back(), steps.back()};
  std::string text;
  const Out out(text);
  fmt::format_to(out, R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", kWidth, kHeight,
                 escaped(chart.title));
  draw_axes(chart, scale, steps, out);
  if (chart.stacked) {
    draw_stack(chart, scale, out);
  } else {
    draw_lines(chart, scale, out);
  }
  draw_hover(chart, scale, out);
  text += "</svg>\n";
  return text;
}

std::vector<double> axis_steps(double largest, int most) {
  if (!(largest > 0)) largest = 1;
  const double rough = largest / most;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= rough) {
      step = power * factor;
      break;
    }
  }
  std::vector<double> steps;
  for (int i = 0; i <= most; ++i) {
    steps.push_back(step * i);
    if (step * i >= largest) break;
  }
  return steps;
}

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.3g}", value);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace doorbuster::loadlab
