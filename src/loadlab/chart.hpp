#pragma once
// Line and area charts as inline SVG. Colours come from the page's style sheet (`var(--name)`), so one chart
// serves a light and a dark page.

#include <string>
#include <vector>

namespace doorbuster::loadlab {

struct Series {
  std::string name;
  std::string colour;  ///< name of a custom property: "--issued"
  std::vector<double> values;
};

struct Tick {
  double at = 0;
  std::string label;
};

struct Chart {
  std::string title;               ///< for those who cannot see it
  std::vector<double> positions;   ///< x of each value, ascending; at least one
  std::vector<std::string> names;  ///< of each position, for the hover text
  std::vector<Series> series;
  std::vector<Tick> ticks;  ///< of the x axis
  std::string unit;         ///< of the values, in the hover text
  bool stacked = false;     ///< areas on top of each other instead of lines
  bool filled = false;      ///< a soft area under the line
};

std::string to_svg(const Chart& chart);

/// At most `most` steps of 1, 2 or 5 times a power of ten that reach from 0 to at least `largest`.
std::vector<double> axis_steps(double largest, int most);
/// 1234 as "1.2k"; for axes.
std::string short_number(double value);
std::string escaped(std::string_view text);

}  // namespace doorbuster::loadlab
