#include "services/api/json_object.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <optional>

namespace doorbuster::api {
namespace {

/// Takes Boost.JSON's events and keeps the members of the outermost object.
struct Handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Text = boost::json::string_view;
  using Failure = boost::system::error_code;

  std::vector<JsonMember> members;
  std::optional<std::string> twice;
  std::string text;  // of the key or string that is being read
  int depth = 0;
  bool is_object = false;
  bool too_many = false;

  bool value(JsonValue given) {
    if (depth == 1 && is_object) members.back().value = std::move(given);
    return true;
  }
  bool begin_nested() {
    value(JsonNested{});
    ++depth;
    return true;
  }
  bool end_nested() {
    --depth;
    return true;
  }

  bool on_document_begin(Failure&) { return true; }
  bool on_document_end(Failure&) { return true; }
  bool on_object_begin(Failure&) {
    if (depth == 0) is_object = true;
    return begin_nested();
  }
  bool on_object_end(std::size_t, Failure&) { return end_nested(); }
  bool on_array_begin(Failure&) { return begin_nested(); }
  bool on_array_end(std::size_t, Failure&) { return end_nested(); }
  bool on_key_part(Text part, std::size_t, Failure&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t, Failure& failure) {
    text.append(part.data(), part.size());
    if (depth == 1 && is_object) {
      if (members.size() == JsonObject::kMostMembers) {
        too_many = true;
        failure = boost::json::error::object_too_large;
        return false;
      }
      for (const auto& member : members) {
        if (member.name == text && !twice) twice = text;
      }
      members.push_back({std::move(text), nullptr});
    }
    text.clear();
    return true;
  }
  bool on_string_part(Text part, std::size_t, Failure&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_string(Text part, std::size_t, Failure&) {
    text.append(part.data(), part.size());
    value(std::move(text));
    text.clear();
    return true;
  }
  bool on_number_part(Text, Failure&) { return true; }
  bool on_int64(std::int64_t number, Text, Failure&) {
    return number < 0 ? value(number) : value(static_cast<std::uint64_t>(number));
  }
  bool on_uint64(std::uint64_t number, Text, Failure&) { return value(number); }
  bool on_double(double number, Text, Failure&) { return value(number); }
  bool on_bool(bool truth, Failure&) { return value(truth); }
  bool on_null(Failure&) { return value(nullptr); }
  bool on_comment_part(Text, Failure&) { return true; }
  bool on_comment(Text, Failure&) { return true; }
};

}  // namespace

Result<JsonObject> JsonObject::parse(std::string_view text) {
  boost::json::basic_parser<Handler> parser{boost::json::parse_options{}};
  boost::system::error_code failure;
  const auto used = parser.write_some(false, text.data(), text.size(), failure);
  if (parser.handler().too_many) {
    return make_error(ErrorCode::invalid,
                      "the object has more than " + std::to_string(kMostMembers) + " members");
  }
  if (failure) {
    return make_error(ErrorCode::malformed,
                      "the body is no JSON: " + failure.message() + " at byte " + std::to_string(used));
  }
  if (used < text.size()) {
    return make_error(ErrorCode::malformed,
                      "the body is no JSON: something follows its end at byte " + std::to_string(used));
  }
  auto& handler = parser.handler();
  if (!handler.is_object)
    return make_error(ErrorCode::malformed, "the body is no JSON object: something else begins at byte " +
                                                std::to_string(text.find_first_not_of(" \t\r\n")));
  if (handler.twice) {
    return make_error(ErrorCode::invalid, "'" + *handler.twice + "' is given twice", *handler.twice);
  }
  JsonObject object;
  object.members_ = std::move(handler.members);
  return object;
}

const JsonValue* JsonObject::find(std::string_view name) const {
  for (const auto& member : members_) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

std::string_view kind_of(const JsonValue& value) {
  constexpr std::string_view kKinds[] = {"null",
                                         "a boolean",
                                         "a negative integer",
                                         "an integer",
                                         "a number that is not a whole one",
                                         "a string",
                                         "an array or an object"};
  return kKinds[value.index()];
}

}  // namespace doorbuster::api
