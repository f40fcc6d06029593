#pragma once
// The Lua scripts, from scripts/*.lua, which the build puts into the program. Each says at its head what it
// is told and what it answers.

#include <array>
#include <string>
#include <string_view>

namespace doorbuster::redis {

enum class ScriptId : std::uint8_t {
  decide,
  confirm,
  find,
  show,
  take_overdue,
  open,
  begin_change,
  end_change,
  close,
  begin_rebuild,
  add,
  finish_rebuild,
  look,
  store,
  lock_acquire,
  lock_release,
  lock_renew,
  fair_acquire,
  fair_release,
  fair_give_up,
  queue_accept,
  queue_settle,
  queue_take,
};
inline constexpr std::size_t kScripts = 23;

/// The texts as they are sent. `now_us` is a function of the scripts that gives microseconds since 1970;
/// production asks TIME, tests put a clock there that they can move.
class ScriptSet {
 public:
  static constexpr std::string_view kServerTime =
      "local function now_us() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end\n";

  explicit ScriptSet(std::string_view time_source = kServerTime);
  /// With the server's own time; made once.
  static const ScriptSet& production();

  const std::string& text(ScriptId id) const { return texts_[static_cast<std::size_t>(id)]; }
  const std::array<std::string, kScripts>& all() const { return texts_; }

 private:
  std::array<std::string, kScripts> texts_;
};

}  // namespace doorbuster::redis
