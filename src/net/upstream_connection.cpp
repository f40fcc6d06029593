#include "net/upstream_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace doorbuster::net {
namespace {

using http::ReplyHead;

constexpr int kMostReadsInARow = 16;
/// Beyond, the head's own limit decides.
constexpr std::size_t kMostTricklingBytes = 16 * 1024;
constexpr int kMostInterims = 8;  ///< 1xx heads before one reply
/// Longer than any body: a stream has no limit but its reader's patience.
constexpr std::size_t kNoLimit = std::size_t{1} << 56;
/// One that has been idle for so long is asked whether the other side has hung up, before it is used again.
constexpr Duration kPeekAfter = std::chrono::milliseconds(500);

}  // namespace

UpstreamConnection::UpstreamConnection(UpstreamPool& pool, std::size_t depth, bool correlated)
    : pool_(&pool),
      host_(pool.host_),
      depth_(depth),
      correlated_(correlated),
      entries_(1),
      since_(host_.now()) {}

UpstreamConnection::~UpstreamConnection() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void UpstreamConnection::connect() {
  ++host_.stats_.connects;
  const auto& to = pool_->endpoint_;
  descriptor_ = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const bool failed = descriptor_ < 0 ||
                      (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0 &&
                       errno != EINPROGRESS) ||
                      !host_.events_->watch(*this, descriptor_);
  if (!failed) return;
  // Told in a later turn: whoever sends is not called back within the call.
  host_.shard_.post([self = shared_from_this(), why = errno] {
    ++self->host_.stats_.connect_failures;
    self->close(UpstreamFailure::refused, ::strerrordesc_np(why));
  });
}

void UpstreamConnection::send(UpstreamRequest& request) {
  if (in_flight() == entries_.size()) {
    std::vector<Entry> larger(2 * entries_.size());
    for (auto n = first_; n != next_; ++n) larger[n & (larger.size() - 1)] = entry(n);
    entries_ = std::move(larger);
  }
  if (first_ == next_) since_ = host_.now();
  auto& made = entry(next_++);
  made = {&request, 0, appended_, request.to_head};
  request.connection_ = this;
  ++host_.stats_.requests;
  if (served_) ++host_.stats_.reused;
  const auto before = out_.size();
  out_.append(request.bytes, 0, request.head_size);
  if (correlated_) {
    made.number = host_.next_number_++;
    char digits[20];
    out_.append(http::kCorrelationHeader);
    out_ += ": ";
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, made.number).ptr);
    out_ += "\r\n";
  }
  out_ += "\r\n";
  out_.append(request.bytes, request.head_size);
  appended_ += out_.size() - before;
  if (request.upload) {
    upload_ = std::make_unique<Upload>();
    upload_->source = std::move(request.upload);
    upload_->chunked = !request.upload_length;
  }
  start_flush();
}

void UpstreamConnection::start_flush() {
  if (!in_flush_list && pool_ != nullptr) host_.flush_later(shared_from_this());
}

void UpstreamConnection::cancel(UpstreamRequest& request, bool stuck) {
  request.connection_ = nullptr;
  ++host_.stats_.cancelled;
  for (auto n = first_; n != next_; ++n) {
    if (entry(n).request == &request) entry(n).request = nullptr;
  }
  if (exclusive()) return close(UpstreamFailure::lost, "given up");
  if (!stuck) return;
  closing_ = true;
  const bool anybody = [&] {
    for (auto n = first_; n != next_; ++n) {
      if (entry(n).request != nullptr) return true;
    }
    return false;
  }();
  if (!anybody && !stream_) close(UpstreamFailure::lost, "its replies are overdue");
}

bool UpstreamConnection::takes_more(Duration now) const {
  if (closing_ || stream_ || hung_up_ || in_flight() >= depth_) return false;
  return connecting_ || first_ == next_ || now - since_ < pool_->options_.stall_after;
}

bool UpstreamConnection::usable() {
  if (pool_ == nullptr || hung_up_ || closing_ || first_ != next_) return false;
  if (host_.now() - since_ < kPeekAfter) return true;
  char byte = 0;
  const auto size = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void UpstreamConnection::on_ready(std::uint32_t events) {
  if (pool_ == nullptr) return;
  if (connecting_) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      int why = 0;
      socklen_t size = sizeof why;
      ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &why, &size);
      ++host_.stats_.connect_failures;
      return close(UpstreamFailure::refused, why != 0 ? ::strerrordesc_np(why) : "refused");
    }
    if ((events & EPOLLOUT) == 0) return;
    connecting_ = false;
    since_ = host_.now();
    start_flush();
  } else if ((events & EPOLLOUT) != 0 && waiting_for_space_) {
    waiting_for_space_ = false;
    start_flush();
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  readable_ = true;
  read();
}

void UpstreamConnection::read() {
  const auto self = shared_from_this();
  for (int round = 0; pool_ != nullptr && readable_ && !(stream_ && stream_->paused); ++round) {
    if (round == kMostReadsInARow) return host_.shard_.post([self] { self->read(); });
    char* const scratch = host_.scratch_.get();
    const auto size = ::recv(descriptor_, scratch, UpstreamHost::kScratchBytes, MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      readable_ = false;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // A reset tells no end: a body that ends with its connection is not complete.
        close(UpstreamFailure::lost, "the connection was reset");
      }
      return;
    }
    if (size == 0) {
      readable_ = false;
      return on_end();
    }
    if (static_cast<std::size_t>(size) < UpstreamHost::kScratchBytes && !hung_up_) readable_ = false;
    take_input({scratch, static_cast<std::size_t>(size)});
  }
}

void UpstreamConnection::on_end() {
  if (stream_ && stream_->kind == ReplyHead::Body::until_close) return end_stream(true);
  close(UpstreamFailure::lost, "the connection was closed");
}

void UpstreamConnection::take_input(std::string_view bytes) {
  if (!tail_.empty()) {
    tail_ += bytes;
    if (tail_.size() < needed_) return;
    if (head_scanned_ != 0 && tail_.size() < kMostTricklingBytes) {
      // A head that comes byte by byte is not read anew for each: its end is looked for in what is new.
      const auto from = head_scanned_ - std::min<std::size_t>(head_scanned_, 3);
      head_scanned_ = tail_.size();
      if (tail_.find("\r\n\r\n", from) == std::string::npos) return;
    }
    // consume() may end this connection, but it is held by read().
    const auto rest = consume(tail_);
    if (pool_ == nullptr || rest.empty()) {
      tail_.clear();
    } else {
      tail_.erase(0, tail_.size() - rest.size());
    }
    return;
  }
  const auto rest = consume(bytes);
  if (pool_ != nullptr) tail_.assign(rest);
}

/// \returns what belongs to a reply that is not complete, or must wait
std::string_view UpstreamConnection::consume(std::string_view bytes) {
  needed_ = head_scanned_ = 0;
  while (pool_ != nullptr && !bytes.empty()) {
    if (stream_) {
      bytes = feed_stream(bytes);
      if (stream_) return bytes;
      continue;
    }
    if (first_ == next_ || entry(first_).begins_at >= written_) {
      // Answered twice, or talking unasked: from here on nobody knows what belongs to what.
      ++host_.stats_.desynchronised;
      close(UpstreamFailure::malformed, "the instance said more than it was asked");
      return {};
    }
    const auto before = bytes.size();
    bytes = take_reply(bytes);
    if (bytes.size() == before && !stream_) return bytes;
  }
  return pool_ == nullptr ? std::string_view() : bytes;
}

bool UpstreamConnection::is_answer(const Entry& asked, const ReplyHead& head) const {
  if (!correlated_) return true;
  std::uint64_t number = 0;
  const auto text = head.correlation();
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc{} && stop == text.data() + text.size() && number == asked.number;
}

/// \returns what is behind the reply's part that was taken; all of it when more must come first
std::string_view UpstreamConnection::take_reply(std::string_view bytes) {
  auto& head = host_.head_;
  const auto asked = entry(first_);
  switch (head.parse(bytes, asked.to_head)) {
    case ReplyHead::Status::need_more:
      head_scanned_ = bytes.size();
      return bytes;
    case ReplyHead::Status::failed:
      ++host_.stats_.desynchronised;
      close(UpstreamFailure::malformed, head.failure());
      return {};
    case ReplyHead::Status::complete:
      break;
  }
  if (head.interim()) {
    if (++interims_ > kMostInterims) {
      close(UpstreamFailure::malformed, "the instance sends one interim reply after another");
      return {};
    }
    return bytes.substr(head.size());
  }
  if (!is_answer(asked, head)) {
    ++host_.stats_.desynchronised;
    close(UpstreamFailure::malformed, "the reply does not carry its request's number");
    return {};
  }
  const auto rest = bytes.substr(head.size());
  std::string_view body;
  std::size_t taken = 0;
  switch (head.body()) {
    case ReplyHead::Body::none:
      break;
    case ReplyHead::Body::counted:
      if (head.length() > rest.size()) {
        if (head.length() > pool_->options_.most_whole_bytes) return begin_stream(bytes);
        needed_ = head.size() + static_cast<std::size_t>(head.length());
        return bytes;
      }
      taken = static_cast<std::size_t>(head.length());
      body = rest.substr(0, taken);
      break;
    case ReplyHead::Body::chunked: {
      // Many servers send even a short reply in chunks; one that is all here is no stream.
      http::ChunkedDecoder chunks;
      chunks.reset(pool_->options_.most_whole_bytes);
      host_.decoded_.clear();
      taken = chunks.put(rest, host_.decoded_);
      if (chunks.state() != http::ChunkedDecoder::State::done) return begin_stream(bytes);
      body = host_.decoded_;
      break;
    }
    case ReplyHead::Body::until_close:
      return begin_stream(bytes);
  }
  const bool stays = finish_first(head.keep_alive(), head.keep_alive_timeout());
  // An exclusive connection with bytes left over has answered twice. It never serves another one.
  const bool surplus = exclusive() && taken < rest.size();
  if (asked.request != nullptr) asked.request->on_reply(head, body);
  if (pool_ == nullptr) return {};
  if (!stays || surplus) {
    if (surplus) ++host_.stats_.desynchronised;
    close(UpstreamFailure::lost, "the instance closes the connection");
    return {};
  }
  if (exclusive()) {
    pool_->give_back(*this);
  } else if (closing_ && first_ == next_) {
    close(UpstreamFailure::lost, "its replies were overdue");
    return {};
  } else if (!pool_->waiting_.empty()) {
    pool_->has_room();
  }
  return pool_ == nullptr ? std::string_view() : rest.substr(taken);
}

bool UpstreamConnection::finish_first(bool keep_alive, int keep_alive_timeout) {
  auto& done = entry(first_);
  if (done.request != nullptr) done.request->connection_ = nullptr;
  done.request = nullptr;
  ++first_;
  interims_ = 0;
  served_ = true;
  since_ = host_.now();
  auto idle = pool_->options_.idle_limit;
  if (keep_alive_timeout >= 0) {
    // Not to the last moment: the other side's clock runs already.
    idle = std::min<Duration>(idle, std::chrono::seconds(keep_alive_timeout) * 3 / 4);
  }
  idle_until_ = since_ + idle;
  // An answer before the end of the upload: nobody knows how much the other side will still read.
  const bool stays = keep_alive && !upload_ && !single_use;
  if (stays) return true;
  // What is behind was not processed (RFC 9112, 9.6), whatever has been sent of it.
  if (!keep_alive) written_ = 0;
  closing_ = true;
  return false;
}

/// \pre the head has been read into host_.head_
std::string_view UpstreamConnection::begin_stream(std::string_view bytes) {
  const auto& head = host_.head_;
  const auto rest = bytes.substr(head.size());
  auto& asked = entry(first_);
  auto* const request = std::exchange(asked.request, nullptr);
  stream_ = std::make_unique<Stream>(host_.shard_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->stream_wakes();
  });
  stream_->kind = head.body();
  stream_->left = head.length();
  stream_->keep_alive = head.keep_alive();
  stream_->chunks.reset(kNoLimit);
  auto reader = stream_->pipe.take_reader();
  if (request == nullptr) return rest;  // the reader goes at once; what comes is dropped
  request->connection_ = nullptr;
  request->on_stream(head, std::move(reader));
  return pool_ == nullptr ? std::string_view() : rest;
}

std::string_view UpstreamConnection::feed_stream(std::string_view bytes) {
  auto& stream = *stream_;
  since_ = host_.now();
  if (stream.pipe.full()) {
    stream.paused = true;
    return bytes;
  }
  switch (stream.kind) {
    case ReplyHead::Body::counted: {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(stream.left, bytes.size()));
      stream.pipe.push(bytes.substr(0, take));
      stream.left -= take;
      bytes.remove_prefix(take);
      if (stream.left == 0) end_stream(true);
      break;
    }
    case ReplyHead::Body::chunked: {
      host_.decoded_.clear();
      bytes.remove_prefix(stream.chunks.put(bytes, host_.decoded_));
      stream.pipe.push(host_.decoded_);
      if (stream.chunks.state() == http::ChunkedDecoder::State::done) {
        end_stream(true);
      } else if (stream.chunks.state() != http::ChunkedDecoder::State::more) {
        ++host_.stats_.desynchronised;
        close(UpstreamFailure::malformed, "the reply's chunks are malformed");
      }
      break;
    }
    default:
      stream.pipe.push(bytes);
      bytes = {};
      break;
  }
  return pool_ == nullptr ? std::string_view() : bytes;
}

void UpstreamConnection::end_stream(bool whole) {
  const auto ended = std::move(stream_);
  if (whole) ended->pipe.end();
  const bool stays = finish_first(ended->keep_alive, -1) && whole;
  if (!stays || (closing_ && first_ == next_)) {
    return close(UpstreamFailure::lost, "the instance closes the connection");
  }
  if (exclusive()) {
    pool_->give_back(*this);
  } else {
    pool_->has_room();
  }
}

/// The client takes more, or has gone.
void UpstreamConnection::stream_wakes() {
  if (pool_ == nullptr || !stream_) return;
  if (stream_->pipe.reader_gone() && exclusive()) {
    ++host_.stats_.cancelled;
    return close(UpstreamFailure::lost, "given up");
  }
  if (!stream_->paused) return;
  stream_->paused = false;
  const auto self = shared_from_this();
  take_input({});
  if (pool_ != nullptr) read();
}

void UpstreamConnection::flush() {
  if (pool_ == nullptr || connecting_ || waiting_for_space_) return;
  if (upload_) pump_upload();
  if (pool_ != nullptr) send_some();
}

bool UpstreamConnection::send_some() {
  while (sent_ < out_.size()) {
    const auto size =
        ::send(descriptor_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    ++host_.stats_.writes;
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        waiting_for_space_ = true;
        return false;
      }
      // It may have answered before it closed: what is there is read first.
      hung_up_ = readable_ = true;
      read();
      if (pool_ != nullptr) close(UpstreamFailure::lost, "the connection was reset");
      return false;
    }
    sent_ += static_cast<std::size_t>(size);
    written_ += static_cast<std::uint64_t>(size);
  }
  out_.clear();
  sent_ = 0;
  if (upload_) pump_upload();
  return true;
}

/// Asks for the next piece of the body when the one before has been written.
void UpstreamConnection::pump_upload() {
  if (upload_->arrived) {
    auto piece = std::move(*upload_->arrived);
    upload_->arrived.reset();
    upload_->asked = false;
    if (!piece) {
      return close(UpstreamFailure::upload, piece.error().code == ErrorCode::malformed
                                                ? std::string_view(piece.error().detail)
                                                : std::string_view());
    }
    if (auto* const request = entry(first_).request) request->on_upload_progress();
    const auto before = out_.size();
    const bool last = !*piece;
    if (!last && !(*piece)->empty()) {
      if (upload_->chunked) {
        char digits[20];
        out_.append(digits, std::to_chars(digits, digits + sizeof digits, (*piece)->size(), 16).ptr);
        out_ += "\r\n";
      }
      out_ += **piece;
      if (upload_->chunked) out_ += "\r\n";
    }
    if (last && upload_->chunked) out_ += "0\r\n\r\n";
    appended_ += out_.size() - before;
    if (last) upload_ = nullptr;
  }
  if (!upload_ || upload_->asked || sent_ < out_.size()) return;
  upload_->asked = true;
  upload_->source->next([weak = weak_from_this()](Result<std::optional<std::string>> piece) {
    const auto self = weak.lock();
    if (!self || self->pool_ == nullptr || !self->upload_) return;
    self->upload_->arrived.emplace(std::move(piece));
    self->start_flush();
  });
}

void UpstreamConnection::check(Duration now) {
  if (pool_ == nullptr) return;
  if (connecting_ && now - since_ >= pool_->options_.connect_timeout) {
    ++host_.stats_.connect_failures;
    return close(UpstreamFailure::connect_timeout, "no connection in time");
  }
  if (first_ == next_) {
    if (!connecting_ && exclusive() && now >= idle_until_ && served_) close(UpstreamFailure::lost, "idle");
    return;
  }
  if (stream_ && !stream_->paused && now - since_ >= pool_->options_.stream_idle_limit) {
    return close(UpstreamFailure::lost, "the reply does not go on");
  }
  if (!connecting_ && now - since_ >= pool_->options_.move_after) move_those_behind();
}

/// The first one's reply is slow, or its client is: those behind it need not wait when they can go elsewhere.
void UpstreamConnection::move_those_behind() {
  closing_ = true;
  const auto self = shared_from_this();
  for (auto n = first_ + 1; pool_ != nullptr && n < next_; ++n) {
    auto* const request = entry(n).request;
    if (request == nullptr || !request->may_move()) continue;
    entry(n).request = nullptr;
    request->connection_ = nullptr;
    request->on_failure(UpstreamFailure::stalled, true, "the reply before it is slow");
  }
}

void UpstreamConnection::close(UpstreamFailure failure, std::string_view detail) {
  if (pool_ == nullptr) return;
  const auto self = shared_from_this();
  const bool was_connecting = connecting_;
  auto& pool = *std::exchange(pool_, nullptr);
  ::close(std::exchange(descriptor_, -1));
  pool.remove(*this);
  if (stream_) {
    stream_->pipe.fail(make_error(ErrorCode::unavailable, std::string(detail)));
    // Its pipe may be in a call right now.
    host_.shard_.post([held = std::shared_ptr<Stream>(std::move(stream_))] {});
  }
  if (upload_) host_.shard_.post([held = std::shared_ptr<Upload>(std::move(upload_))] {});
  const bool any = first_ != next_;
  if (any && !was_connecting) ++host_.stats_.lost;
  bool first = true;
  while (first_ != next_) {
    const auto lost = entry(first_++);
    const bool sent = !was_connecting && lost.begins_at < written_;
    // Only the first one's reply can have been malformed; the others are as good as lost.
    const auto why = first || failure != UpstreamFailure::malformed ? failure : UpstreamFailure::lost;
    first = false;
    if (lost.request == nullptr) continue;
    lost.request->connection_ = nullptr;
    lost.request->on_failure(why, sent, detail);
  }
}

}  // namespace doorbuster::net
