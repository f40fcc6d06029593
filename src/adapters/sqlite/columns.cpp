#include "adapters/sqlite/columns.hpp"

#include <algorithm>

namespace doorbuster::sqlite {

void bind_user(Statement& statement, int index, const UserId& user) {
  if (const auto number = user.integer()) {
    statement.bind(index, static_cast<std::int64_t>(*number));
  } else {
    statement.bind_text(index, user.text());
  }
}

Result<UserId> read_user(const Statement& statement, int column) {
  if (statement.is_integer(column)) {
    const auto number = statement.integer(column);
    if (number < 0) return make_error(ErrorCode::corrupt, "the user id is negative");
    return UserId::from_integer(static_cast<std::uint64_t>(number));
  }
  return UserId::parse(statement.text(column));
}

Result<CouponCode> read_code(const Statement& statement, int column) {
  const auto bytes = statement.blob(column);
  if (bytes.size() != CouponCode::kBytes) return make_error(ErrorCode::corrupt, "the code has not ten bytes");
  CouponCode::Bytes copy;
  std::copy(bytes.begin(), bytes.end(), copy.begin());
  return CouponCode(copy);
}

}  // namespace doorbuster::sqlite
