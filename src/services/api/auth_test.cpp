#include "services/api/auth.hpp"

#include <gtest/gtest.h>

namespace doorbuster::api {
namespace {

const std::string kAdmin = "admin-secret-0123456789";
const std::string kUser = "user-secret-0123456789";

Authorizer two_tokens() {
  return *Authorizer::make({{kAdmin, Role::admin, {}}, {kUser, Role::user, *UserId::parse("alice")}});
}

TEST(Authorizer, LetsEverybodyDoEverythingWithoutTokens) {
  const Authorizer open;
  ASSERT_TRUE(open.open());
  EXPECT_EQ(open.authenticate("")->role, Role::admin);
}

TEST(Authorizer, KnowsWhoHoldsAToken) {
  const auto authorizer = two_tokens();
  const auto admin = authorizer.authenticate("Bearer " + kAdmin);
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->role, Role::admin);
  EXPECT_EQ(admin->subject, nullptr);
  const auto user = authorizer.authenticate("bearer " + kUser);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->role, Role::user);
  ASSERT_NE(user->subject, nullptr);
  EXPECT_EQ(user->subject->text(), "alice");
}

TEST(Authorizer, RefusesEverythingElse) {
  const auto authorizer = two_tokens();
  for (const auto& header : {std::string(), kAdmin, "Basic " + kAdmin, std::string("Bearer"),
                             std::string("Bearer "), "Bearer " + kAdmin + "x", "Bearer " + kAdmin.substr(1),
                             "Bearer  " + kAdmin, "Bearer " + std::string(kAdmin.size(), 'x')}) {
    const auto caller = authorizer.authenticate(header);
    ASSERT_FALSE(caller) << header;
    EXPECT_EQ(caller.error().code, ErrorCode::unauthorized);
  }
}

TEST(Authorizer, ChecksItsTokens) {
  const auto field_of = [](std::vector<Token> tokens) {
    const auto made = Authorizer::make(std::move(tokens));
    return made ? "none" : made.error().field;
  };
  const auto alice = *UserId::parse("alice");
  EXPECT_EQ(field_of({{"short", Role::admin, {}}}), "api.tokens[0].token");
  EXPECT_EQ(field_of({{kAdmin + " x", Role::admin, {}}}), "api.tokens[0].token");
  EXPECT_EQ(field_of({{kAdmin, Role::admin, {}}, {kUser, Role::user, {}}}), "api.tokens[1].sub");
  EXPECT_EQ(field_of({{kAdmin, Role::merchant, alice}}), "api.tokens[0].sub");
  EXPECT_EQ(field_of({{kAdmin, Role::admin, {}}, {kAdmin, Role::merchant, {}}}), "api.tokens[1].token");
  EXPECT_EQ(field_of({{kAdmin, Role::admin, {}}, {kUser, Role::user, alice}}), "none");
}

TEST(OpenMode, IsForLoopbackAlone) {
  const Authorizer open;
  for (const auto* bind : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) {
    EXPECT_TRUE(check_open_mode(open, bind)) << bind;
  }
  for (const auto* bind : {"0.0.0.0", "::", "10.0.0.1", "127.example.org", "1.127.0.0", ""}) {
    EXPECT_FALSE(check_open_mode(open, bind)) << bind;
    EXPECT_TRUE(check_open_mode(two_tokens(), bind)) << bind;
  }
}

TEST(Role, ReadsWhatItWrites) {
  for (const auto role : {Role::user, Role::merchant, Role::admin})
    EXPECT_EQ(parse_role(name_of(role)), role);
  EXPECT_EQ(parse_role("root"), std::nullopt);
}

}  // namespace
}  // namespace doorbuster::api
