#include "adapters/redis/connection.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>

#include "adapters/redis/socket.hpp"
#include "base/log.hpp"

namespace doorbuster::redis {

namespace {

using Steady = std::chrono::steady_clock;

constexpr auto kGrace = std::chrono::milliseconds(20);

Error lost(const std::string& why) {
  return make_error(ErrorCode::unknown_outcome,
                    "the connection to Redis ended before it had answered: " + why);
}
Error not_sent(const std::string& why) {
  return make_error(ErrorCode::unavailable, "Redis is not connected: " + why);
}

}  // namespace

class Connection::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(rt::Shard& shard, Options options, Events events, const ScriptSet& scripts)
      : shard_(shard),
        options_(std::move(options)),
        events_(std::move(events)),
        scripts_(scripts),
        timer_(shard.context()),
        pause_(options_.first_pause) {}

  void start() { connect(); }

  void stop() {
    stopped_ = true;
    up_ = false;
    if (socket_) socket_->close();
    timer_.cancel();
    waiting_.clear();
    events_ = {};
  }

  void send(const Command& command, Done done) {
    if (!may_send(done)) return;
    command.append_to(socket_->out());
    sent(std::move(done));
  }

  void run(ScriptId script, Command words, Done done) {
    if (!may_send(done)) return;
    const auto& sha = shas_[static_cast<std::size_t>(script)];
    words.append_to(socket_->out(), {"EVALSHA", sha});
    // Kept until the answer is there, in case the server does not know the script any more.
    sent([weak = weak_from_this(), script, words = std::move(words),
          done = std::move(done)](Result<Reply> reply) mutable {
      const auto self = weak.lock();
      if (!self || !reply || !is_noscript(*reply)) return done(std::move(reply));
      if (!self->may_send(done)) return;
      words.append_to(self->socket_->out(), {"EVAL", self->scripts_.text(script)});
      self->sent(std::move(done));
    });
  }

  void look_again() {
    if (!up_) return;
    auto replies = std::make_shared<std::vector<Reply>>();
    const auto commands = look_again_commands();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      send(commands[i],
           [weak = weak_from_this(), replies, last = i + 1 == commands.size()](Result<Reply> reply) {
             const auto self = weak.lock();
             if (!self || !reply) return;
             replies->push_back(std::move(*reply));
             if (last && replies->size() == 2) self->take_facts(*replies);
           });
    }
  }

  bool up() const { return up_; }
  const ServerFacts* facts() const { return up_ ? &facts_ : nullptr; }
  Error reason() const { return reason_; }
  std::size_t in_flight() const { return waiting_.size(); }
  const Options& options() const { return options_; }

 private:
  struct Waiting {
    Done done;
    std::uint64_t begins_at;  // place of the command's first byte in everything sent
    Steady::time_point deadline;
  };

  /// Answers `done` when the command cannot be sent.
  bool may_send(Done& done) {
    if (!up_) {
      done(reason_);
    } else if (waiting_.size() >= options_.most_in_flight ||
               socket_->out().size() >= options_.most_unsent_bytes) {
      done(make_error(ErrorCode::overloaded, "too many commands wait for Redis"));
    } else {
      begins_at_ = socket_->written_through();
      return true;
    }
    return false;
  }

  void sent(Done done) {
    waiting_.push_back({std::move(done), begins_at_, {}});
    socket_->flush_later();
  }

  void connect() {
    if (stopped_) return;
    socket_ = std::make_shared<Socket>(shard_);
    reader_.emplace();
    handshake_.clear();
    late_ = false;
    arm(Steady::now() + options_.connect_timeout);
    const auto weak = weak_from_this();
    Socket::Events events;
    events.connected = [weak] {
      if (const auto self = weak.lock()) self->greet();
    };
    events.arrived = [weak](std::string_view bytes) {
      if (const auto self = weak.lock()) self->take(bytes);
    };
    events.failed = [weak](const std::string& why) {
      if (const auto self = weak.lock()) self->broken(not_sent(self->where() + ": " + why));
    };
    events.before_write = [weak] {
      if (const auto self = weak.lock()) self->set_deadlines();
    };
    socket_->connect(options_, std::move(events));
  }

  std::string where() const { return options_.host + ":" + std::to_string(options_.port); }

  void greet() {
    const auto commands = handshake_commands(options_);
    greetings_ = commands.size();
    for (const auto& command : commands) command.append_to(socket_->out());
    for (const auto& text : scripts_.all()) Command({"SCRIPT", "LOAD", text}).append_to(socket_->out());
    socket_->flush_later();
  }

  void take(std::string_view bytes) {
    const auto self = shared_from_this();
    const auto socket = socket_;
    reader_->feed(bytes);
    while (socket == socket_ && !stopped_) {
      auto next = reader_->next();
      if (!next) return broken(next.error());
      if (!next->complete) return;
      if (!up_) {
        handshake_.push_back(std::move(next->reply));
        if (handshake_.size() == greetings_ + kScripts) greeted();
        continue;
      }
      if (waiting_.empty())
        return broken(make_error(ErrorCode::malformed, "Redis answers what nobody asked"));
      auto done = std::move(waiting_.front().done);
      waiting_.pop_front();
      done(std::move(next->reply));
    }
  }

  void greeted() {
    std::vector<Reply> facts;
    for (std::size_t i = 0; i < greetings_; ++i) facts.push_back(std::move(handshake_[i]));
    auto found = facts_of(facts);
    if (!found) return broken(found.error());
    facts_ = std::move(*found);
    if (const auto fine = check(facts_, options_); !fine) return broken(fine.error());
    for (std::size_t i = 0; i < kScripts; ++i) {
      const auto& reply = handshake_[greetings_ + i];
      if (reply.is_error()) return broken(error_of(reply));
      shas_[i] = reply.text();
    }
    handshake_.clear();
    up_ = true;
    told_down_ = false;
    pause_ = options_.first_pause;
    reason_ = {};
    arm(std::nullopt);
    if (events_.up) events_.up(facts_);
  }

  void take_facts(const std::vector<Reply>& replies) {
    auto found = facts_of(replies);
    if (!found) return;  // asked again soon
    if (const auto fine = check(*found, options_); !fine) return broken(fine.error());
    facts_.persistence = found->persistence;
  }

  /// Ends this connection, answers everybody, and makes the next one after a pause.
  void broken(Error why) {
    if (stopped_) return;
    const auto self = shared_from_this();
    const auto socket = std::exchange(socket_, nullptr);
    const auto taken = socket->taken();
    socket->close();
    const bool was_up = std::exchange(up_, false);
    reason_ = why.code == ErrorCode::unsupported || why.code == ErrorCode::unavailable
                  ? why
                  : not_sent(where() + ": " + why.detail);
    auto waiting = std::exchange(waiting_, {});
    timer_.cancel();
    timer_.expires_after(pause_);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto again = weak.lock();
      if (!error && again) again->connect();
    });
    pause_ = std::min(pause_ * 2, options_.longest_pause);
    for (auto& command : waiting) {
      if (command.begins_at < taken) {
        command.done(lost(why.detail));
      } else {
        command.done(reason_);
      }
      if (stopped_) return;
    }
    if (was_up || !std::exchange(told_down_, true)) {
      told_down_ = true;
      log().warn("{}", reason_.detail);
      if (events_.down) events_.down(reason_);
    }
  }

  void set_deadlines() {
    if (!up_) return;
    const auto deadline = Steady::now() + options_.command_timeout;
    for (auto command = waiting_.rbegin(); command != waiting_.rend(); ++command) {
      if (command->deadline != Steady::time_point()) break;
      command->deadline = deadline;
    }
    if (!timer_armed_) arm(waiting_.empty() ? std::nullopt : std::optional(waiting_.front().deadline));
  }

  /// The timer runs to the deadline that was the first one when it was set, and then looks again: commands
  /// that come and go do not touch it.
  void arm(std::optional<Steady::time_point> deadline) {
    timer_armed_ = deadline.has_value();
    if (!deadline) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(*deadline);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || !self->socket_) return;
      self->timer_armed_ = false;
      if (!self->up_) return self->broken(not_sent(self->where() + " does not answer in time"));
      if (self->waiting_.empty()) return;
      const auto first = self->waiting_.front().deadline;
      if (first != Steady::time_point() && first <= Steady::now()) {
        if (std::exchange(self->late_, true)) {
          return self->broken(make_error(ErrorCode::unknown_outcome, "it has not answered in time"));
        }
        // Perhaps it was this process that stood still: what has arrived meanwhile is read before it is
        // judged.
        return self->arm(Steady::now() + kGrace);
      }
      self->late_ = false;
      self->arm(first == Steady::time_point() ? Steady::now() + self->options_.command_timeout : first);
    });
  }

  rt::Shard& shard_;
  const Options options_;
  Events events_;
  const ScriptSet& scripts_;
  std::shared_ptr<Socket> socket_;
  std::optional<ReplyReader> reader_;
  std::vector<Reply> handshake_;
  std::size_t greetings_ = 0;
  std::array<std::string, kScripts> shas_;
  ServerFacts facts_;
  Error reason_ = make_error(ErrorCode::unavailable, "Redis is not connected yet");
  std::deque<Waiting> waiting_;
  std::uint64_t begins_at_ = 0;
  boost::asio::steady_timer timer_;
  bool timer_armed_ = false;
  bool late_ = false;
  Duration pause_;
  bool up_ = false;
  bool told_down_ = false;
  bool stopped_ = false;
};

Connection::Connection(rt::Shard& shard, Options options, Events events, const ScriptSet& scripts)
    : impl_(std::make_shared<Impl>(shard, std::move(options), std::move(events), scripts)) {}
Connection::~Connection() {
  impl_->stop();
}

void Connection::start() {
  impl_->start();
}
void Connection::stop() {
  impl_->stop();
}
void Connection::send(const Command& command, Done done) {
  impl_->send(command, std::move(done));
}
void Connection::run(ScriptId script, Command words, Done done) {
  impl_->run(script, std::move(words), std::move(done));
}
void Connection::look_again() {
  impl_->look_again();
}
bool Connection::up() const {
  return impl_->up();
}
const ServerFacts* Connection::facts() const {
  return impl_->facts();
}
Error Connection::reason() const {
  return impl_->reason();
}
std::size_t Connection::in_flight() const {
  return impl_->in_flight();
}
const Options& Connection::options() const {
  return impl_->options();
}

}  // namespace doorbuster::redis
