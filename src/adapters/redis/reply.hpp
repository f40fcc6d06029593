#pragma once
// What Redis answers, read by hiredis, which is used as a codec only.

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.hpp"

struct redisReply;
struct redisReader;

namespace doorbuster::redis {

/// A part of an answer; refers to the Reply that it was taken from.
class ReplyView {
 public:
  enum class Kind : std::uint8_t { nil, integer, text, status, array, error };

  explicit ReplyView(const redisReply* reply = nullptr) : reply_(reply) {}
  Kind kind() const;
  bool is_nil() const { return kind() == Kind::nil; }
  bool is_error() const { return kind() == Kind::error; }
  /// 0 unless it is an integer.
  std::int64_t integer() const;
  /// Of a text, status or error; empty otherwise.
  std::string_view text() const;
  /// Of an array; 0 otherwise.
  std::size_t size() const;
  /// Nil when there is no such element.
  ReplyView operator[](std::size_t index) const;
  /// A text that is a whole number, or an integer; `otherwise` for anything else.
  std::int64_t number(std::int64_t otherwise = 0) const;

 protected:
  const redisReply* reply_;
};

/// One answer, whole.
class Reply final : public ReplyView {
 public:
  explicit Reply(redisReply* owned);

 private:
  struct Free {
    void operator()(redisReply* reply) const;
  };
  std::unique_ptr<redisReply, Free> owned_;
};

/// Turns bytes into replies. One thread.
class ReplyReader {
 public:
  ReplyReader();
  void feed(std::string_view bytes);
  /// The next whole reply; one that is `false` when more bytes are needed. \returns malformed
  struct Next {
    bool complete = false;
    Reply reply{nullptr};
  };
  Result<Next> next();

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
};

/// What an error reply means: refused commands changed nothing. A script that failed on its way may have.
Error error_of(ReplyView reply);
bool is_noscript(ReplyView reply);

}  // namespace doorbuster::redis
