#pragma once
// A connection for tools and recovery: blocking, pipelined by hand, with a deadline for every wait. One
// thread.

#include <deque>
#include <memory>

#include "adapters/redis/handshake.hpp"
#include "adapters/redis/scripts.hpp"

namespace doorbuster::redis {

class BlockingConnection {
 public:
  /// Connects and checks the server as Connection does. \returns unavailable, unsupported
  static Result<std::unique_ptr<BlockingConnection>> open(const Options& options,
                                                          const ScriptSet& scripts = ScriptSet::production());
  ~BlockingConnection();
  BlockingConnection(const BlockingConnection&) = delete;
  BlockingConnection& operator=(const BlockingConnection&) = delete;

  /// One command and its reply; an error reply is a failure. \returns unavailable (not sent),
  /// unknown_outcome, internal
  Result<Reply> call(const Command& command);
  Result<Reply> run(ScriptId script, const Command& words);

  /// Pipelined: sends without waiting; receive() gives the replies in that order. A script must have been
  /// called with run() before, which makes the server know it.
  Result<void> send(ScriptId script, const Command& words);
  Result<Reply> receive();
  std::size_t unanswered() const { return unanswered_; }

  const ServerFacts& facts() const { return facts_; }
  /// No call succeeds any more.
  bool broken() const { return socket_ < 0; }

 private:
  BlockingConnection(const Options& options, const ScriptSet& scripts)
      : options_(options), scripts_(scripts) {}
  Result<void> connect();
  Result<void> greet();
  Result<void> write_out();
  Result<void> wait(short events);
  Error give_up(ErrorCode code, const std::string& why);

  const Options options_;
  const ScriptSet& scripts_;
  ServerFacts facts_;
  ReplyReader reader_;
  std::string out_;
  std::array<std::string, kScripts> shas_;
  std::size_t unanswered_ = 0;
  int socket_ = -1;
};

}  // namespace doorbuster::redis
