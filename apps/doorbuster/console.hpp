#pragma once
// Where `up` writes: lines of its children, and on a terminal a table below them that is painted in place.

#include <string>
#include <vector>

#include "apps/doorbuster/status_table.hpp"

namespace doorbuster {

/// One thread. The table is always the last thing on the screen: it is erased before a line is written and
/// painted again by show().
class Console {
 public:
  Console();
  ~Console() { clear(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Whether there is a terminal for a table.
  bool has_table() const { return has_table_; }
  /// A line of a child's output, to stderr.
  void line(const std::string& who, const std::string& text);
  /// To stdout.
  void print(const std::string& text);
  void show(const std::vector<ProcessStatus>& processes);
  /// Erases the table.
  void clear();

 private:
  bool has_table_ = false;
  std::vector<std::size_t> painted_;  // lengths of the lines on the screen
};

}  // namespace doorbuster
