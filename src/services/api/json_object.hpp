#pragma once
// A JSON object from a request, read strictly: a name that is given twice is an error (most readers take the
// last one silently), and integers stay apart from other numbers.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace doorbuster::api {

/// An array or object inside of the object. No request has one; it is only told apart from the rest.
struct JsonNested {};

using JsonValue =
    std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, JsonNested>;

struct JsonMember {
  std::string name;
  JsonValue value;
};

class JsonObject {
 public:
  /// No request needs more, and every name is compared with those before it.
  static constexpr std::size_t kMostMembers = 64;

  /// \returns malformed with the offset (no JSON, no object), invalid (a name given twice, too many members)
  static Result<JsonObject> parse(std::string_view text);

  const std::vector<JsonMember>& members() const { return members_; }
  /// nullptr when absent.
  const JsonValue* find(std::string_view name) const;

 private:
  std::vector<JsonMember> members_;
};

/// "a string", "an integer", ... for error texts.
std::string_view kind_of(const JsonValue& value);

}  // namespace doorbuster::api
