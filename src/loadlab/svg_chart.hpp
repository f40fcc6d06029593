#pragma once
// A line chart as inline SVG. Colours are names of CSS variables, so that the page decides about light and
// dark.

#include <string>
#include <utility>
#include <vector>

namespace doorbuster::loadlab {

struct Point {
  double x = 0;
  double y = 0;
};

struct Series {
  std::string name;
  std::string colour;  ///< "--a"
  std::vector<Point> points;
};

struct ChartAxes {
  std::string x_title;
  std::string y_title;
  std::vector<std::pair<double, std::string>> x_labels;  ///< empty: round numbers
};

/// Round steps from 0 up to at least `most`, about `count` of them: 1, 2 or 5 times a power of ten.
std::vector<double> round_steps(double most, int count);

/// The y axis begins at 0, x at 0.
std::string line_chart(const std::vector<Series>& all, const ChartAxes& axes);

}  // namespace doorbuster::loadlab
