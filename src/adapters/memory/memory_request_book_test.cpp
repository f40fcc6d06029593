#include "adapters/memory/memory_request_book.hpp"

#include "tests/support/request_book_suite.hpp"

namespace doorbuster::test {
namespace {

class MemoryBed {
 public:
  RequestBook& owner(std::size_t which) { return which == 0 ? first_ : second_; }
  ManualExecutor& executor() { return executor_; }
  ManualClock& clock() { return clock_; }

 private:
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  std::shared_ptr<RequestBookPages> pages_ = std::make_shared<RequestBookPages>(clock_, small_book());
  MemoryRequestBook first_{pages_};
  MemoryRequestBook second_{pages_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, RequestBookSuite, MemoryBed);

}  // namespace
}  // namespace doorbuster::test
