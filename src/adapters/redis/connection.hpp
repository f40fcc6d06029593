#pragma once
// One pipelined connection to Redis, of one shard. What is sent during a turn of the loop goes out in one
// write, and one read brings many replies.
//
//   send() ... send() ──end of turn──▶ write        replies ──▶ done, in the order of sending
//
// Life: start() connects; when the connection breaks, a command's deadline passes or the server is not what
// it must be (handshake.hpp), it is made anew after a pause that doubles. While it is down commands fail at
// once: nothing is queued for a server that is not there.
//
// Invariants
//  1. Every command is answered once: with Redis' reply, error replies included, or with
//     overloaded (a bound is reached), unavailable or unsupported (nothing was sent), unknown_outcome (sent,
//     or in part, and no reply came).
//  2. Replies belong to commands in order. When one is late, all behind it are: the connection is given up as
//  a whole,
//     so one timer is enough.
//  3. A command sent under one run of the server is never repeated under another one.
//
// One thread: the shard's. Completions that come after stop() are not called.

#include <memory>

#include "adapters/redis/handshake.hpp"
#include "adapters/redis/scripts.hpp"
#include "base/unique_function.hpp"
#include "rt/shard.hpp"

namespace doorbuster::redis {

class Connection {
 public:
  using Done = UniqueFunction<void(Result<Reply>)>;
  struct Events {
    UniqueFunction<void(const ServerFacts&)> up;  ///< connected, and the server is what it must be
    UniqueFunction<void(const Error&)> down;      ///< was up, or the first tries failed
  };

  /// \param scripts outlive the connection
  Connection(rt::Shard& shard, Options options, Events events,
             const ScriptSet& scripts = ScriptSet::production());
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// Drops everything; nothing is called from here on.
  void stop();

  void send(const Command& command, Done done);
  /// EVALSHA; sent again with its text when the server does not know it (then it has not run).
  /// \param words number of keys, keys, arguments
  void run(ScriptId script, Command words, Done done);
  /// Asks the server again what it is; when it is no longer what it must be, the connection goes down.
  void look_again();

  bool up() const;
  /// Of the server; null while it is down.
  const ServerFacts* facts() const;
  /// Why it is down.
  Error reason() const;
  std::size_t in_flight() const;
  const Options& options() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::redis
