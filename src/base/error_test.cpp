#include "base/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace doorbuster {
namespace {

TEST(ErrorTable, HasARowForEveryCodeAndNoSlugTwice) {
  std::set<std::string_view> slugs;
  for (const auto& row : all_error_traits()) {
    EXPECT_EQ(&traits(row.code), &row);
    EXPECT_TRUE(slugs.insert(row.slug).second) << row.slug;
    EXPECT_FALSE(row.title.empty());
  }
  EXPECT_EQ(all_error_traits().size(), static_cast<std::size_t>(ErrorCode::internal) + 1);
}

TEST(ErrorTable, AsksForARetryExactlyWhereTheStatusIs503) {
  for (const auto& row : all_error_traits())
    EXPECT_EQ(row.http_status == 503, row.retry == Retry::later) << row.slug;
}

}  // namespace
}  // namespace doorbuster
