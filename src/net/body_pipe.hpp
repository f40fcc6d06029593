#pragma once
// A bounded pipe for a body that passes through: one side puts in what it reads, the other takes it as a
// BodySource as fast as it can write. When it is full, the writer stops reading, and so does the one who
// sends to it.
//
// One thread: the shard's. What the reader does (makes room, goes away) is told to the writer in a later
// turn, never within its own call.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.hpp"

namespace doorbuster::net {

class BodyPipe {
  struct State;

 public:
  static constexpr std::size_t kMostBytes = 128 * 1024;

  /// \param wake called when there is room again after full(), and when the reader has gone
  BodyPipe(rt::Shard& shard, UniqueFunction<void()> wake);
  BodyPipe(const BodyPipe&) = delete;
  BodyPipe& operator=(const BodyPipe&) = delete;
  /// A writer that goes without end() has failed.
  ~BodyPipe();

  /// The other end; once.
  std::unique_ptr<BodySource> take_reader();

  void push(std::string_view piece);
  void end();
  void fail(Error error);
  bool full() const;
  bool reader_gone() const;

 private:
  class Reader;
  std::shared_ptr<State> state_;
};

}  // namespace doorbuster::net
