#include "services/registry/gzip.hpp"

#include <gtest/gtest.h>

#include <random>

namespace doorbuster::registry {
namespace {

std::string zipped(const std::vector<std::string>& texts) {
  GzipRope rope;
  for (const auto& text : texts) rope.add(gzip_piece(text));
  return rope.finish().joined();
}

TEST(Gzip, PiecesMakeOneMember) {
  std::mt19937 random(3);  // NOLINT: the same bytes each time
  std::string noise;
  for (int i = 0; i < 300'000; ++i) noise += static_cast<char>(random() & 0xff);
  const std::string much(1'000'000, 'x');
  const auto unpacked = gunzip(zipped({"head ", noise, much, "tail"}), 10'000'000);
  ASSERT_TRUE(unpacked) << unpacked.error().detail;
  EXPECT_EQ(*unpacked, "head " + noise + much + "tail");
}

TEST(Gzip, PiecesMayBePutTogetherAgainInAnotherWay) {
  const auto a = gzip_piece("aaaaaaaaaaaaaaaaaa"), b = gzip_piece("bbbbbbbbbbbbbb");
  GzipRope one, other;
  one.add(a);
  one.add(b);
  other.add(b);
  other.add(a);
  other.add(a);
  EXPECT_EQ(*gunzip(one.finish().joined(), 100), "aaaaaaaaaaaaaaaaaabbbbbbbbbbbbbb");
  EXPECT_EQ(*gunzip(other.finish().joined(), 100), "bbbbbbbbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

TEST(Gzip, UnpacksNoBombs) {
  const auto bomb = zipped({std::string(5'000'000, 'x')});
  EXPECT_LT(bomb.size(), 50'000U);
  const auto refused = gunzip(bomb, 64 * 1024);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large);
}

TEST(Gzip, RefusesWhatIsBroken) {
  const auto good = zipped({"text"});
  for (const auto& bad : {std::string(), std::string("text"), good.substr(0, good.size() - 1), good + "x"}) {
    const auto refused = gunzip(bad, 100);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::malformed);
  }
}

}  // namespace
}  // namespace doorbuster::registry
