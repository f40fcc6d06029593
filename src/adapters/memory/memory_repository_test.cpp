#include "adapters/memory/memory_repository.hpp"

#include <gtest/gtest.h>

#include "tests/support/repository_suite.hpp"

namespace doorbuster::test {
namespace {

class MemoryBed {
 public:
  CouponStore& store() { return repository_; }
  CouponRepository& repository() { return repository_; }
  void reopen() {}  // what a process has in memory does not outlive it: the object itself stands for the file

 private:
  MemoryRepository repository_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, RepositorySuite, MemoryBed);

TEST(MemoryRepository, FailsOnRequestAndChangesNothing) {
  MemoryRepository repository;
  repository.set_available(false);
  EXPECT_EQ(repository.store({{1, coupon_event("sale", 1)}}).error().code, ErrorCode::unavailable);
  EXPECT_EQ(repository.find(coupon_event("sale", 1).coupon.code).error().code, ErrorCode::unavailable);
  repository.set_available(true);
  EXPECT_EQ(repository.stored_through().value(), 0U);
}

}  // namespace
}  // namespace doorbuster::test
