#include "adapters/redis/reply.hpp"

#include <hiredis/hiredis.h>

#include <charconv>
#include <string>

namespace doorbuster::redis {

ReplyView::Kind ReplyView::kind() const {
  if (reply_ == nullptr) return Kind::nil;
  switch (reply_->type) {
    case REDIS_REPLY_STRING:
      return Kind::text;
    case REDIS_REPLY_STATUS:
      return Kind::status;
    case REDIS_REPLY_INTEGER:
      return Kind::integer;
    case REDIS_REPLY_ARRAY:
      return Kind::array;
    case REDIS_REPLY_ERROR:
      return Kind::error;
    default:
      return Kind::nil;
  }
}

std::int64_t ReplyView::integer() const {
  return kind() == Kind::integer ? reply_->integer : 0;
}

std::string_view ReplyView::text() const {
  switch (kind()) {
    case Kind::text:
    case Kind::status:
    case Kind::error:
      return {reply_->str, static_cast<std::size_t>(reply_->len)};
    default:
      return {};
  }
}

std::size_t ReplyView::size() const {
  return kind() == Kind::array ? reply_->elements : 0;
}

ReplyView ReplyView::operator[](std::size_t index) const {
  return ReplyView(index < size() ? reply_->element[index] : nullptr);
}

std::int64_t ReplyView::number(std::int64_t otherwise) const {
  if (kind() == Kind::integer) return reply_->integer;
  const auto digits = text();
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || failed != std::errc() || end != digits.data() + digits.size()) return otherwise;
  return value;
}

Reply::Reply(redisReply* owned) : ReplyView(owned), owned_(owned) {}

void Reply::Free::operator()(redisReply* reply) const {
  ::freeReplyObject(reply);
}

ReplyReader::ReplyReader() : reader_(::redisReaderCreate()) {
  DOORBUSTER_ASSERT(reader_ != nullptr);
}

void ReplyReader::feed(std::string_view bytes) {
  ::redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Result<ReplyReader::Next> ReplyReader::next() {
  void* made = nullptr;
  if (::redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
    return make_error(ErrorCode::malformed, std::string("Redis sent no Redis protocol: ") + reader_->errstr);
  }
  Next next;
  next.complete = made != nullptr;
  next.reply = Reply(static_cast<redisReply*>(made));
  return next;
}

void ReplyReader::Free::operator()(redisReader* reader) const {
  ::redisReaderFree(reader);
}

bool is_noscript(ReplyView reply) {
  return reply.is_error() && reply.text().substr(0, 8) == "NOSCRIPT";
}

Error error_of(ReplyView reply) {
  const std::string text(reply.text());
  const auto begins = [&text](std::string_view with) { return text.compare(0, with.size(), with) == 0; };
  if (begins("NOAUTH") || begins("WRONGPASS") || begins("NOPERM") || begins("ERR invalid password") ||
      begins("ERR AUTH") || begins("ERR Client sent AUTH")) {
    return make_error(ErrorCode::unavailable, "Redis refuses this user or password: " + text,
                      "redis.password");
  }
  for (const std::string_view refusal : {"LOADING", "BUSY", "MISCONF", "READONLY", "MASTERDOWN", "OOM",
                                         "NOREPLICAS", "CLUSTERDOWN", "MOVED", "ERR max number of clients"}) {
    if (begins(refusal)) return make_error(ErrorCode::unavailable, "Redis refuses: " + text);
  }
  return make_error(ErrorCode::internal, "Redis refuses a command: " + text);
}

}  // namespace doorbuster::redis
