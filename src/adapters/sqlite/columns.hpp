#pragma once
// How the ids of the domain stand in the columns of repo.db.

#include "adapters/sqlite/database.hpp"
#include "base/ids.hpp"

namespace doorbuster::sqlite {

/// An integer where the id is one, else text: eight bytes for most users, and a checker in plain SQL reads
/// both.
void bind_user(Statement& statement, int index, const UserId& user);
Result<UserId> read_user(const Statement& statement, int column);
Result<CouponCode> read_code(const Statement& statement, int column);

}  // namespace doorbuster::sqlite
