#pragma once
// Reader of server-sent events (WHATWG HTML, section 9.2), without a socket.
//
//   parser.put(bytes, [](const Event& event) {...})   as the bytes come, however they are cut
//
// One thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace doorbuster::http {

class EventStreamParser {
 public:
  struct Event {
    std::string type = "message";
    std::string data;  ///< lines joined by LF
    std::string id;    ///< its own; empty: it has none
  };
  static constexpr std::size_t kMostEventBytes = 1 << 20;

  /// Calls `each(const Event&)` for every event that is complete and has data.
  /// \returns false when an event is larger than kMostEventBytes: the stream is of no use any more
  template <class Each>
  bool put(std::string_view bytes, Each each) {
    for (const char c : bytes) {
      if (after_cr_ && c == '\n') {
        after_cr_ = false;
        continue;
      }
      after_cr_ = c == '\r';
      if (c != '\r' && c != '\n') {
        line_ += c;
        if (line_.size() + event_.data.size() > kMostEventBytes) return false;
        continue;
      }
      if (take_line()) {
        each(static_cast<const Event&>(event_));
        event_ = {};
      }
    }
    return true;
  }

 private:
  /// \returns whether the line was the empty one that ends an event with data
  bool take_line();

  std::string line_;
  Event event_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace doorbuster::http
