#pragma once
// A TCP socket of a shard that hands over what it reads and sends at the end of the turn. Private to this
// adapter: Connection and Subscriber say what the bytes mean.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/redis/options.hpp"
#include "base/unique_function.hpp"
#include "rt/shard.hpp"

namespace doorbuster::redis {

/// For one connection; a new one is made for the next. One thread.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  struct Events {
    UniqueFunction<void()> connected;
    UniqueFunction<void(std::string_view)> arrived;
    UniqueFunction<void(const std::string&)> failed;  ///< why; nothing is called after it
    UniqueFunction<void()> before_write;              ///< at the end of a turn in which out() was filled
  };

  explicit Socket(rt::Shard& shard) : shard_(shard), resolver_(shard.context()), socket_(shard.context()) {}

  void connect(const Options& options, Events events);
  /// Bytes that wait to be sent; flush_later() after adding some.
  std::string& out() { return out_; }
  void flush_later();
  /// How many bytes of everything that was ever put into out() the kernel has taken.
  std::uint64_t taken() const { return taken_; }
  std::uint64_t written_through() const { return taken_ + out_.size() - sent_; }
  /// Closes; nothing is called any more.
  void close();

 private:
  using Error = boost::system::error_code;
  void try_next(boost::asio::ip::tcp::resolver::results_type found,
                boost::asio::ip::tcp::resolver::results_type::iterator next);
  void on_connected();
  void wait_readable();
  void read();
  void flush();
  void fail(const std::string& why);

  rt::Shard& shard_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  Events events_;
  std::string out_;
  std::size_t sent_ = 0;
  std::uint64_t taken_ = 0;
  bool open_ = false;
  bool flush_posted_ = false;
  bool waiting_for_space_ = false;
};

}  // namespace doorbuster::redis
