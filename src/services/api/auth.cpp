#include "services/api/auth.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace doorbuster::api {
namespace {

constexpr std::array<std::string_view, 3> kRoleNames = {"user", "merchant", "admin"};

bool is_visible_ascii(char c) {
  return c > 0x20 && c < 0x7f;
}

/// Looks at every byte, whether or not an earlier one differs.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

/// The secret after `Bearer `, whose case does not matter (RFC 9110, 11.1).
std::optional<std::string_view> bearer(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(header[i])) != kScheme[i]) return std::nullopt;
  }
  return header.substr(kScheme.size());
}

Result<void> check(const Token& token, const std::string& key) {
  if (token.secret.size() < 16 || token.secret.size() > 256 ||
      !std::all_of(token.secret.begin(), token.secret.end(), is_visible_ascii)) {
    return make_error(ErrorCode::invalid, "a token has 16 to 256 visible ASCII characters", key + ".token");
  }
  if (token.role == Role::user && !token.subject) {
    return make_error(ErrorCode::invalid, "a token with the role 'user' needs 'sub', the user's id",
                      key + ".sub");
  }
  if (token.role != Role::user && token.subject) {
    return make_error(ErrorCode::invalid, "'sub' belongs to the role 'user' alone", key + ".sub");
  }
  return {};
}

}  // namespace

std::string_view name_of(Role role) {
  return kRoleNames[static_cast<std::size_t>(role)];
}

std::optional<Role> parse_role(std::string_view text) {
  for (std::size_t i = 0; i < kRoleNames.size(); ++i) {
    if (kRoleNames[i] == text) return static_cast<Role>(i);
  }
  return std::nullopt;
}

Result<Authorizer> Authorizer::make(std::vector<Token> tokens) {
  if (tokens.size() > kMostTokens) {
    return make_error(ErrorCode::invalid,
                      "more than 1000 tokens; tokens of single users belong to the gateway", "api.tokens");
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string key = "api.tokens[" + std::to_string(i) + "]";
    if (const auto checked = check(tokens[i], key); !checked) return checked.error();
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (tokens[earlier].secret == tokens[i].secret) {
        return make_error(ErrorCode::invalid, "this token is given twice", key + ".token");
      }
    }
  }
  Authorizer authorizer;
  authorizer.tokens_ = std::move(tokens);
  return authorizer;
}

Result<Caller> Authorizer::authenticate(std::string_view header) const {
  if (open()) return Caller{};
  const auto secret = bearer(header);
  if (!secret) {
    return make_error(ErrorCode::unauthorized, "send a header 'Authorization: Bearer <token>'");
  }
  const Token* found = nullptr;
  for (const auto& token : tokens_) {
    if (equal_in_constant_time(token.secret, *secret)) found = &token;
  }
  if (found == nullptr) return make_error(ErrorCode::unauthorized, "this token is not known");
  return Caller{found->role, found->subject ? &*found->subject : nullptr};
}

bool is_loopback(std::string_view bind) {
  if (bind == "localhost" || bind == "::1" || bind == "[::1]") return true;
  // Digits only: a name such as 127.example.org may lead anywhere.
  return bind.starts_with("127.") && bind.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<void> check_open_mode(const Authorizer& authorizer, std::string_view bind) {
  if (!authorizer.open() || is_loopback(bind)) return {};
  return make_error(ErrorCode::invalid,
                    "without tokens the API listens on loopback only, not on " + std::string(bind) +
                        "; set api.tokens or bind to 127.0.0.1",
                    "api.bind");
}

}  // namespace doorbuster::api
