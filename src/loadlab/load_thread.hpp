#pragma once
// One thread of the load generator: its share of the virtual users, on one event loop without locks.
//
// A virtual user is a small state machine around one socket. In the closed loop it asks again as soon as its
// reply is there; in the open loop it waits until the schedule has a request for it. Waiting of every kind
// (time-outs, pauses, ramp-up) is a moment in one array that is looked through every tick, so a request costs
// one send, one read and no timer.
//
// Connections per request are ended by the generator with a reset once the whole reply is there: an orderly
// close would leave a port in TIME_WAIT for a minute, and 28,000 requests would use all of them up.
//
// Thread: connect(), run() and everything private belong to the thread that calls them; `live` may be read by
// any. Owned by the run (load_run.cpp), as is Shared.
//
// Invariants
//  1. Every request whose bytes went out ends in exactly one ack and one call of Tally::reply or ::failure.
//  2. With a fixed number of requests, exactly that many measured tests end: an attempt that could not
//  connect
//     is one of them.
//  3. remaining_ is the number of virtual users that are not `finished`; run() returns when it is 0.

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
  const Options& options;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;  ///< one for each target
  const std::atomic<int>* interrupts = nullptr;
  AcksFile* acks = nullptr;
  Duration epoch_offset{0};  ///< what a Moment lacks to be microseconds since 1970

  // Set between connect() and run(), while no other thread runs.
  Moment start;
  Window window;

  std::atomic<std::uint64_t> next_ask{0};       ///< user = first_user + ask / asks_per_user
  std::atomic<std::uint64_t> requests_left{0};  ///< measured ones, when their number is fixed
};

/// The moment of request `number` of an open loop, counted from the start: `rate` a second, after a ramp in
/// which the rate grows evenly from nothing.
Duration scheduled_after(std::uint64_t number, double rate, Duration ramp_up);

class LoadThread {
 public:
  LoadThread(Shared& shared, std::uint32_t index);

  /// Connects all virtual users (per request: tries each target once) and returns when each attempt has
  /// ended.
  void connect();
  /// Sends from Shared::start until the load is over and the last reply is in.
  void run();

  std::size_t wanted_connections() const { return to_connect_; }
  std::size_t connected() const { return connected_; }
  const std::string& connect_error() const { return connect_error_; }
  Tally& tally() { return tally_; }
  Duration cpu_time() const { return cpu_time_; }
  bool interrupted() const { return interrupted_; }

  /// Written by this thread on every tick.
  struct Live {
    std::atomic<std::uint64_t> successes{0};
    std::atomic<std::uint64_t> issued{0};
    std::atomic<std::uint64_t> errors{0};
  } live;

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = boost::asio::basic_stream_socket<Tcp, boost::asio::io_context::executor_type>;
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>,
                                                  boost::asio::io_context::executor_type>;
  using ErrorCodeOfAsio = boost::system::error_code;

  enum class State : std::uint8_t {
    idle,        ///< may be given a request
    connecting,  ///< with a request to send once connected, or for the start barrier
    waiting,     ///< for the reply
    pausing,     ///< until its moment: ramp-up, Retry-After, after a failed connection
    finished,
  };

  struct VirtualUser {
    VirtualUser(boost::asio::io_context& context, std::uint32_t own_number, std::size_t target_index)
        : socket(context), number(own_number), target(target_index) {}

    Socket socket;
    http::ResponseParser parser{64 * 1024};
    std::uint32_t number;  ///< within this thread
    std::size_t target;
    State state = State::idle;
    bool connected = false;
    bool asks_again = false;       ///< the next request is for the same user
    bool sent_anything = false;    ///< bytes of the present request went out
    std::uint32_t generation = 0;  ///< of the connection: handlers of an older one do nothing
    std::uint64_t user = 0;
    Moment meant;  ///< latency counts from here
    Moment sent;
    std::string unsent;  ///< what the kernel did not take at once
    std::array<char, 1024> input;
  };

  // load_thread_io.cpp: the connection of one virtual user
  void open(VirtualUser& vuser, Moment give_up_at);
  void opened(VirtualUser& vuser, const ErrorCodeOfAsio& error);
  void close(VirtualUser& vuser, bool reset);
  void send(VirtualUser& vuser);
  void send_rest(VirtualUser& vuser);
  void read(VirtualUser& vuser);
  void received(VirtualUser& vuser, const ErrorCodeOfAsio& error, std::size_t size);
  void replied(VirtualUser& vuser);
  void failed(VirtualUser& vuser, ErrorKind kind);
  void note(const VirtualUser& vuser, Moment at, int status, const ReplyFacts* facts);
  void flush_acks();

  // load_thread.cpp: who sends when
  void connect_more();
  void barrier_result(VirtualUser& vuser, const std::string& error);
  bool over(Moment at);
  bool claim(Moment meant);
  void next(VirtualUser& vuser, Moment at);
  bool begin(VirtualUser& vuser, Moment meant, Moment at);
  void pause(VirtualUser& vuser, Moment until);
  void finish(VirtualUser& vuser);
  void finish_waiting();
  void tick();
  void arm_tick();
  void expired(VirtualUser& vuser, Moment at);
  void watch_interrupts(Moment at);
  bool open_loop() const { return shared_.options.rate > 0; }
  Moment scheduled(std::uint64_t number) const;
  void follow_schedule(Moment at);
  void count_missed();

  Shared& shared_;
  const std::uint32_t index_;
  boost::asio::io_context context_;
  Timer tick_timer_{context_};
  Timer schedule_timer_{context_};
  std::vector<RequestBytes> requests_;  ///< one for each target
  std::vector<std::unique_ptr<VirtualUser>> vusers_;
  std::vector<Moment> expiry_;  ///< when each virtual user's wait ends; Moment::max(): never
  std::vector<VirtualUser*> idle_;
  std::uint64_t next_scheduled_;  ///< open loop: number of the next request of this thread
  bool schedule_armed_ = false;
  bool following_ = false;
  std::size_t to_connect_ = 0;
  std::size_t next_to_connect_ = 0;
  std::size_t attempts_ended_ = 0;
  std::size_t connected_ = 0;
  std::size_t remaining_ = 0;
  bool started_ = false;
  bool over_ = false;  ///< no more requests begin
  bool interrupted_ = false;
  Moment grace_end_ = Moment::max();  ///< after an interruption: when waiting for replies ends
  std::string connect_error_;
  AcksFile::Block acks_;
  Tally tally_;
  Duration cpu_time_{0};
};

}  // namespace doorbuster::loadlab
