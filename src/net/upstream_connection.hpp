#pragma once
// One connection to an instance. Private to src/net.
//
//   send() ──▶ out_ ──end of turn: flush──▶ the instance
//   on_ready ──▶ consume ──▶ the reply's head, in place ──▶ the first request in the air hears it
//
// Invariants:
// 1. Requests are numbered from 0; those in [first_, next_) are in the air, entries_[n & mask] belongs to n.
//    An entry without a request was given up, or is being streamed: its reply is read and dropped.
// 2. A reply belongs to first_. On a correlated connection it carries that entry's number back; one that does
//    not, and bytes that nobody has asked for, end the connection before anything of them is passed on.
// 3. A request counts as sent from the moment its first byte was given to the kernel. A reply that says
//    `Connection: close` tells that those behind it were not processed.
// 4. pool_ is null from close() on, and nothing happens any more.
//
// One thread: the shard's.

#include <memory>
#include <string>
#include <vector>

#include "net/body_pipe.hpp"
#include "net/upstream.hpp"
#include "proto/http/chunked.hpp"

namespace doorbuster::net {

class UpstreamConnection final : public Watched, public std::enable_shared_from_this<UpstreamConnection> {
 public:
  /// \param depth requests in the air at once
  UpstreamConnection(UpstreamPool& pool, std::size_t depth, bool correlated);
  ~UpstreamConnection();
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  void connect();
  void send(UpstreamRequest& request);
  void cancel(UpstreamRequest& request, bool stuck);
  void on_ready(std::uint32_t events) override;
  void flush();
  void check(Duration now);
  void close(UpstreamFailure failure, std::string_view detail);

  bool takes_more(Duration now) const;
  std::size_t in_flight() const { return static_cast<std::size_t>(next_ - first_); }
  bool exclusive() const { return depth_ == 1 && !correlated_; }
  /// Idle, and the other side has not hung up.
  bool usable();
  bool single_use = false;
  bool in_flush_list = false;
  std::size_t index = 0;  // in UpstreamPool::connections_

 private:
  struct Entry {
    UpstreamRequest* request = nullptr;
    std::uint64_t number = 0;
    std::uint64_t begins_at = 0;  // of all bytes of this connection
    bool to_head = false;
  };
  struct Stream {
    Stream(rt::Shard& shard, UniqueFunction<void()> wake) : pipe(shard, std::move(wake)) {}
    BodyPipe pipe;
    http::ChunkedDecoder chunks;
    http::ReplyHead::Body kind = http::ReplyHead::Body::counted;
    std::uint64_t left = 0;
    bool keep_alive = true;
    bool paused = false;
  };
  struct Upload {
    std::unique_ptr<BodySource> source;
    bool chunked = false;
    bool asked = false;
    std::optional<Result<std::optional<std::string>>> arrived;
  };

  Entry& entry(std::uint64_t n) { return entries_[n & (entries_.size() - 1)]; }
  void start_flush();
  void read();
  void take_input(std::string_view bytes);
  std::string_view consume(std::string_view bytes);
  std::string_view take_reply(std::string_view bytes);
  bool is_answer(const Entry& asked, const http::ReplyHead& head) const;
  std::string_view begin_stream(std::string_view bytes);
  std::string_view feed_stream(std::string_view bytes);
  void end_stream(bool whole);
  void stream_wakes();
  void move_those_behind();
  /// The first request's reply is complete. \returns false when the connection ends with it
  bool finish_first(bool keep_alive, int keep_alive_timeout);
  void on_end();
  bool send_some();
  void pump_upload();

  UpstreamPool* pool_;
  UpstreamHost& host_;
  const std::size_t depth_;
  const bool correlated_;
  int descriptor_ = -1;
  std::vector<Entry> entries_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::string out_;
  std::size_t sent_ = 0;          // of out_
  std::uint64_t written_ = 0;     // of all bytes
  std::uint64_t appended_ = 0;    // of all bytes
  std::string tail_;              // of a reply that has come in part
  std::size_t needed_ = 0;        // tail_'s size before looking at it again is worth anything
  std::size_t head_scanned_ = 0;  // of tail_: no end of the head so far
  Duration since_;                // connecting, the first entry is the first, or idle
  Duration idle_until_{0};
  int interims_ = 0;
  bool connecting_ = true;
  bool readable_ = false;
  bool hung_up_ = false;
  bool closing_ = false;  // takes no more, ends when the last entry has
  bool waiting_for_space_ = false;
  bool served_ = false;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Upload> upload_;
};

}  // namespace doorbuster::net
