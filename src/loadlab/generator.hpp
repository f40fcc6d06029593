#pragma once
// One thread of the load generator: its share of the virtual users, on one event loop without locks.
//
// A virtual user is a small state machine around one socket. In a closed loop it asks again as soon as its
// reply is there; in an open loop it waits until the schedule has a request for it. Waiting of every kind
// (time-outs, pauses, ramp-up) is an entry of one array that is looked through every kTick, so a request
// costs a send and a read and no timer.
//
// Everything here belongs to the thread that calls connect() and run(), except `live` and Shared.
//
// Invariants
//  1. Every request whose bytes went out ends in exactly one ack and one call of Tally::reply or ::failure.
//  2. `busy_` is the number of virtual users that wait for a connection, a reply, an outcome or the server's
//     closing.
//  3. The thread ends when it may send no more and `busy_` is 0.

#include <array>
#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loadlab/acks.hpp"
#include "loadlab/options.hpp"
#include "loadlab/request_bytes.hpp"
#include "loadlab/tally.hpp"
#include "proto/http/response_parser.hpp"

namespace doorbuster::loadlab {

/// What the threads of a run have in common.
struct Shared {
  explicit Shared(const Options& given) : options(given) {}

  const Options& options;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;  ///< one for each target
  const std::atomic<int>* interrupts = nullptr;
  AcksFile* acks = nullptr;
  Duration epoch_offset{0};  ///< what a Moment lacks to be microseconds since 1970

  // Set between connect() and run(), while no generator runs.
  Moment start;
  Window window;

  std::atomic<std::uint64_t> next_ask{0};       ///< user = first_user + ask / asks_per_user
  std::atomic<std::uint64_t> requests_left{0};  ///< measured ones, when their number is fixed
};

class Generator {
 public:
  Generator(Shared& shared, std::uint32_t index);

  /// Connects every virtual user, or one for each target when connections are per request. Returns when
  /// each attempt has ended.
  void connect();
  /// Sends from Shared::start until the load is over.
  void run();

  std::size_t connected_count() const { return connected_; }
  const std::string& connect_error() const { return connect_error_; }
  Tally& tally() { return tally_; }
  Duration cpu_time() const { return cpu_time_; }
  bool interrupted() const { return interrupted_; }

  /// Written by this thread, read by the one that shows progress.
  struct Live {
    std::atomic<std::uint64_t> successes{0};
    std::atomic<std::uint64_t> issued{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::int64_t> success_us{0};
  } live;

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = boost::asio::basic_stream_socket<Tcp, boost::asio::io_context::executor_type>;
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>,
                                                  boost::asio::io_context::executor_type>;

  enum class State : std::uint8_t {
    idle,        ///< may be given a request
    connecting,  ///< with a request to send once connected, or for the start barrier
    waiting,     ///< for the reply
    following,   ///< answered 202: until `wake_`, when the outcome is asked for, again
    draining,    ///< reply complete, connection ends after it: waits for the server to close first
    pausing,     ///< until `wake_`: ramp-up, Retry-After, or after a failed connection
    finished,
  };

  struct VirtualUser {
    VirtualUser(boost::asio::io_context& context, std::uint32_t number, std::size_t target_index)
        : socket(context), index(number), target(target_index) {}

    Socket socket;
    http::ResponseParser parser{64 * 1024};
    std::uint32_t index;
    std::size_t target;
    State state = State::idle;
    bool connected = false;
    bool asks_again = false;       ///< the next request is for the same user
    bool sent_anything = false;    ///< bytes of the present request went out
    std::uint32_t generation = 0;  ///< of the connection: handlers of an older one do nothing
    std::uint64_t user = 0;
    Moment meant;  ///< latency counts from here
    Moment sent;
    std::string outcome_path;   ///< of a request that was answered 202; empty: of no other
    Duration outcome_pause{0};  ///< before its outcome is asked for the next time
    std::string unsent;         ///< what the kernel did not take at once
    std::array<char, 2048> input;
  };

  void connect_more();
  void open(VirtualUser& vuser);
  void opened(VirtualUser& vuser, const boost::system::error_code& error);
  void close(VirtualUser& vuser);

  bool sending_is_over(Moment at);
  bool claim(Moment meant);
  void next(VirtualUser& vuser, Moment at);
  void begin(VirtualUser& vuser, Moment meant, Moment at);
  void send(VirtualUser& vuser, Moment at);
  bool transmit(VirtualUser& vuser, std::string_view bytes);
  void send_rest(VirtualUser& vuser);
  void read(VirtualUser& vuser);
  void received(VirtualUser& vuser, const boost::system::error_code& error, std::size_t size);
  void ended(VirtualUser& vuser, const boost::system::error_code& error);
  void replied(VirtualUser& vuser);
  void follow(VirtualUser& vuser, std::string_view path, Moment at);
  void ask_for_outcome(VirtualUser& vuser, Moment at);
  void ask_for_outcome_later(VirtualUser& vuser, Moment at);
  void outcome_replied(VirtualUser& vuser, Moment at);
  void finish(VirtualUser& vuser, Moment at, int status, const ReplyFacts& facts);
  void failed(VirtualUser& vuser, ErrorKind kind);
  void after_request(VirtualUser& vuser, Moment at, std::optional<Duration> ask_again_after);
  void pause(VirtualUser& vuser, Moment until);
  void keep_sighting(const VirtualUser& vuser, Moment at, int status, const ReplyFacts& facts);
  void note(const VirtualUser& vuser, Moment received, int status, const ReplyFacts* facts);

  void tick();
  void look_at_waits(Moment at);
  void wake(VirtualUser& vuser, Moment at);
  void arm_tick();
  void stop_sending(Moment at);
  void end_if_quiet();

  bool open_loop() const { return shared_.options.rate > 0; }
  Moment scheduled(std::uint64_t number) const;
  void follow_schedule(Moment at);
  void arm_schedule(Moment at);
  void flush_acks();

  Shared& shared_;
  const std::uint32_t index_;
  boost::asio::io_context context_;
  Timer tick_timer_{context_};
  Timer schedule_timer_{context_};
  std::vector<RequestBytes> requests_;  ///< one for each target
  std::vector<std::unique_ptr<VirtualUser>> vusers_;
  std::vector<Moment> wake_;  ///< when each virtual user's wait ends; Moment::max(): never
  std::vector<VirtualUser*> idle_;
  std::uint64_t next_scheduled_;  ///< open loop: number of the next request of this thread
  Moment next_due_;               ///< and when it is meant to be sent
  bool schedule_armed_ = false;
  std::size_t next_to_connect_ = 0;
  std::size_t to_connect_ = 0;
  std::size_t connected_ = 0;
  std::size_t busy_ = 0;
  unsigned ticks_ = 0;
  bool started_ = false;
  bool over_ = false;  ///< no more requests begin
  bool closed_ = false;
  bool interrupted_ = false;
  Moment grace_end_ = Moment::max();  ///< after an interruption: when waiting for replies ends
  std::string connect_error_;
  AcksFile::Block acks_;
  Tally tally_;
  Duration cpu_time_{0};
};

}  // namespace doorbuster::loadlab
