#include "services/api/issue_body.hpp"

#include "services/api/json_object.hpp"

namespace doorbuster::api {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Reads forward over a text; every step says whether it could be done.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void skip_space() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }
  bool take(char wanted) {
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  /// The characters up to the next quote, which is taken, too.
  std::optional<std::string_view> take_until_quote() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ != '"') {
      if (*at_ == '\\') return std::nullopt;
      ++at_;
    }
    if (at_ == end_) return std::nullopt;
    return std::string_view(begin, static_cast<std::size_t>(at_++ - begin));
  }
  std::string_view take_digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return {begin, static_cast<std::size_t>(at_ - begin)};
  }
  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

Result<UserId> user_of(const JsonValue& value, std::string_view field) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return UserId::from_integer(*number);
  if (const auto* text = std::get_if<std::string>(&value)) {
    auto user = UserId::parse(*text);
    if (!user) return make_error(ErrorCode::invalid, user.error().detail, std::string(field));
    return user;
  }
  return make_error(ErrorCode::invalid,
                    std::string(field) +
                        " must be a string or an integer of at most 64 bits that is not "
                        "negative, and is " +
                        std::string(kind_of(value)),
                    std::string(field));
}

}  // namespace

namespace detail {

std::optional<UserId> parse_plain_issue_body(std::string_view body) {
  Cursor cursor(body);
  cursor.skip_space();
  if (!cursor.take('{')) return std::nullopt;
  cursor.skip_space();
  if (!cursor.take('"')) return std::nullopt;
  const auto name = cursor.take_until_quote();
  if (!name || (*name != "user_id" && *name != "userId")) return std::nullopt;
  cursor.skip_space();
  if (!cursor.take(':')) return std::nullopt;
  cursor.skip_space();
  std::string_view text;
  if (cursor.take('"')) {
    const auto quoted = cursor.take_until_quote();
    if (!quoted) return std::nullopt;
    text = *quoted;
  } else {
    text = cursor.take_digits();
    // Up to 19 digits are below 2^64 for certain; a leading zero is no JSON.
    if (text.empty() || text.size() > 19 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  }
  cursor.skip_space();
  if (!cursor.take('}')) return std::nullopt;
  cursor.skip_space();
  if (!cursor.at_end()) return std::nullopt;
  auto user = UserId::parse(text);
  if (!user) return std::nullopt;
  return *user;
}

Result<std::optional<UserId>> parse_any_issue_body(std::string_view body) {
  std::size_t spaces = 0;
  while (spaces < body.size() && is_space(body[spaces])) ++spaces;
  if (spaces == body.size()) return std::optional<UserId>();
  const auto object = JsonObject::parse(body);
  if (!object) return object.error();
  const auto* newer = object->find("user_id");
  const auto* older = object->find("userId");
  if (newer != nullptr && older != nullptr) {
    return make_error(ErrorCode::invalid, "give user_id or userId, not both", "user_id");
  }
  if (newer == nullptr && older == nullptr) return std::optional<UserId>();
  auto user = newer != nullptr ? user_of(*newer, "user_id") : user_of(*older, "userId");
  if (!user) return user.error();
  return std::optional<UserId>(*user);
}

}  // namespace detail

Result<std::optional<UserId>> parse_issue_body(std::string_view body) {
  if (auto user = detail::parse_plain_issue_body(body)) return user;
  return detail::parse_any_issue_body(body);
}

}  // namespace doorbuster::api
