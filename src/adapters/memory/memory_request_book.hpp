#pragma once
// The book of queued requests of several owners in one process, for tests.

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>

#include "ports/request_book.hpp"

namespace doorbuster {

/// What the owners share. One thread.
struct RequestBookPages {
  RequestBookPages(Clock& the_clock, RequestBookOptions the_options = {})
      : clock(the_clock), options(the_options) {}

  struct Entry {
    RequestAnswer answer;
    bool settled = false;
  };
  struct Owner {
    Timestamp heard{};
    std::map<std::string, QueuedRequest> waiting;
  };
  Clock& clock;
  const RequestBookOptions options;
  std::unordered_map<std::string, Entry> answers;
  std::deque<std::pair<Timestamp, std::string>> settled;
  std::map<std::uint64_t, Owner> owners;
  bool available = true;  ///< while false, every call fails
};

class MemoryRequestBook final : public RequestBook {
 public:
  explicit MemoryRequestBook(std::shared_ptr<RequestBookPages> pages)
      : pages_(std::move(pages)), name_(pages_->owners.size() + 1) {
    hear();
  }

  void accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
              Done<void> done) override;
  void settle(std::vector<RequestAnswer> outcomes, Done<void> done) override;
  void take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) override;
  void find(std::string id, Done<std::optional<RequestAnswer>> done) override;

 private:
  RequestBookPages::Owner& hear() {
    auto& owner = pages_->owners[name_];
    owner.heard = pages_->clock.now();
    return owner;
  }

  std::shared_ptr<RequestBookPages> pages_;
  const std::uint64_t name_;  // dead owners stay in the table, so none is given twice
};

}  // namespace doorbuster
