#pragma once
// Who may what: bearer tokens from the configuration, each with a role (contract.md section 3).
// Without tokens everybody may everything: the open mode, allowed only on loopback.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace doorbuster::api {

enum class Role : std::uint8_t {
  user,      ///< asks for and looks up its own coupons
  merchant,  ///< looks up and redeems codes
  admin,     ///< everything
};
std::string_view name_of(Role role);
std::optional<Role> parse_role(std::string_view text);

struct Token {
  std::string secret;  ///< 16 to 256 visible ASCII characters
  Role role = Role::user;
  std::optional<UserId> subject;  ///< who a `user` is; only for that role
};

/// Who sends a request.
struct Caller {
  Role role = Role::admin;
  const UserId* subject = nullptr;  ///< of a `user`; belongs to the Authorizer
};

/// Immutable, so any thread may ask it.
class Authorizer {
 public:
  /// The tokens are looked through one by one, which bounds their number.
  static constexpr std::size_t kMostTokens = 1'000;

  /// The open mode.
  Authorizer() = default;
  /// No tokens: the open mode. \returns invalid, naming the configuration key `api.tokens[i]`
  static Result<Authorizer> make(std::vector<Token> tokens);

  bool open() const { return tokens_.empty(); }
  /// \param header value of `Authorization`. \returns unauthorized
  /// The time it takes tells nothing about the secrets but their lengths.
  Result<Caller> authenticate(std::string_view header) const;

 private:
  std::vector<Token> tokens_;
};

/// `127.0.0.0/8`, `::1` or `localhost`.
bool is_loopback(std::string_view bind);
/// The composition calls this before it listens. \returns invalid: open mode on an address that others can
/// reach
Result<void> check_open_mode(const Authorizer& authorizer, std::string_view bind);

}  // namespace doorbuster::api
