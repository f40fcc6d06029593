// The body of an issue request: the short way may give up, but never contradicts the long one.

#include "services/api/issue_body.hpp"

#include "tests/fuzz/fuzz_support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace doorbuster;
  const auto body = fuzz::view(data, size);
  const auto read = api::parse_issue_body(body);
  const auto the_long_way = api::detail::parse_any_issue_body(body);
  fuzz::check(read.has_value() == the_long_way.has_value(), "both ways accept the same bodies");
  if (!read) {
    fuzz::check(!read.error().detail.empty(), "an error says what is wrong");
    return 0;
  }
  fuzz::check(*read == *the_long_way, "both ways read the same user");
  if (*read) {
    fuzz::check(UserId::parse((*read)->text()).has_value(), "the user that is read is a valid one");
  }
  return 0;
}
