#include "proto/http/event_stream.hpp"

#include <utility>

namespace doorbuster::http {

bool EventStreamParser::take_line() {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) {
    if (std::exchange(has_data_, false)) return true;
    event_ = {};
    return false;
  }
  const auto colon = line.find(':');
  if (colon == 0) return false;  // a comment: keeps the connection from looking dead
  const auto field = std::string_view(line).substr(0, colon);
  auto value = colon == std::string::npos ? std::string_view() : std::string_view(line).substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "event") {
    event_.type = value;
  } else if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (field == "id") {
    event_.id = value;
  }
  return false;
}

}  // namespace doorbuster::http
