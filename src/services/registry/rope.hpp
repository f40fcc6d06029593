#pragma once
// Long answers as pieces that many readers share: a full fetch is megabytes, and nobody copies it but the
// socket.

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.hpp"

namespace doorbuster::registry {

using SharedText = std::shared_ptr<const std::string>;

/// Immutable once it is handed out.
struct Rope {
  std::vector<SharedText> pieces;
  std::size_t bytes = 0;

  void add(SharedText piece) {
    bytes += piece->size();
    pieces.push_back(std::move(piece));
  }
  std::string joined() const {
    std::string text;
    text.reserve(bytes);
    for (const auto& piece : pieces) text += *piece;
    return text;
  }
};
using SharedRope = std::shared_ptr<const Rope>;

/// Sends a rope as the client takes it: of one that is slow, no more than a piece waits in memory of its own.
class RopeSource final : public net::BodySource {
 public:
  static constexpr std::size_t kPieceBytes = 256 * 1024;

  explicit RopeSource(SharedRope rope) : rope_(std::move(rope)) {}

  void next(Next done) override {
    std::string out;
    while (piece_ < rope_->pieces.size() && out.size() < kPieceBytes) {
      const auto& text = *rope_->pieces[piece_];
      const auto part = std::string_view(text).substr(at_, kPieceBytes - out.size());
      out += part;
      at_ += part.size();
      if (at_ == text.size()) {
        ++piece_;
        at_ = 0;
      }
    }
    if (out.empty()) return done(std::optional<std::string>());
    done(std::optional<std::string>(std::move(out)));
  }

 private:
  SharedRope rope_;
  std::size_t piece_ = 0;
  std::size_t at_ = 0;
};

}  // namespace doorbuster::registry
