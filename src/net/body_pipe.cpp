#include "net/body_pipe.hpp"

#include <utility>

namespace doorbuster::net {

struct BodyPipe::State {
  explicit State(rt::Shard& the_shard) : shard(the_shard) {}

  rt::Shard& shard;
  std::string kept;
  BodySource::Next waiting;
  UniqueFunction<void()> wake;  // empty once the writer has gone
  std::optional<Error> failure;
  bool ended = false;
  bool was_full = false;
  bool reader_gone = false;

  static void wake_later(const std::shared_ptr<State>& state) {
    state->shard.post([state] {
      if (state->wake) state->wake();
    });
  }
  void deliver() {
    if (!waiting) return;
    if (!kept.empty()) return std::exchange(waiting, nullptr)(std::optional(std::exchange(kept, {})));
    if (failure) return std::exchange(waiting, nullptr)(*failure);
    if (ended) std::exchange(waiting, nullptr)(std::optional<std::string>());
  }
};

class BodyPipe::Reader final : public BodySource {
 public:
  explicit Reader(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() override {
    state_->reader_gone = true;
    state_->waiting = nullptr;
    State::wake_later(state_);
  }
  void next(Next done) override {
    state_->waiting = std::move(done);
    state_->deliver();
    if (std::exchange(state_->was_full, false)) State::wake_later(state_);
  }

 private:
  std::shared_ptr<State> state_;
};

BodyPipe::BodyPipe(rt::Shard& shard, UniqueFunction<void()> wake) : state_(std::make_shared<State>(shard)) {
  state_->wake = std::move(wake);
}

BodyPipe::~BodyPipe() {
  state_->wake = nullptr;
  if (!state_->ended) fail(make_error(ErrorCode::unavailable, "the other side has gone in the middle"));
}

std::unique_ptr<BodySource> BodyPipe::take_reader() {
  return std::make_unique<Reader>(state_);
}

void BodyPipe::push(std::string_view piece) {
  if (state_->reader_gone || piece.empty()) return;
  state_->kept += piece;
  state_->deliver();
}

void BodyPipe::end() {
  state_->ended = true;
  state_->deliver();
}

void BodyPipe::fail(Error error) {
  if (state_->ended || state_->failure) return;
  // What was kept is worth nothing without the rest, and the sooner the other side knows the better.
  state_->kept.clear();
  state_->failure = std::move(error);
  state_->deliver();
}

bool BodyPipe::full() const {
  if (state_->kept.size() < kMostBytes || state_->reader_gone) return false;
  state_->was_full = true;
  return true;
}

bool BodyPipe::reader_gone() const {
  return state_->reader_gone;
}

}  // namespace doorbuster::net
