#pragma once
// What the ways have in common that ask somebody for each request.
//
// A question that is under way answers those who came before it was sent; whoever comes later waits for the
// next one. So every answer was asked for after its request had come, and there is one question at a time for
// a service, however large the crowd.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ports/instance_lookup.hpp"

namespace doorbuster {

class AskingLookup : public InstanceLookup {
 public:
  bool is_local() const final { return false; }
  void look_up(std::string_view name, Done done) final {
    auto found = services_.find(name);
    if (found == services_.end()) found = services_.emplace(std::string(name), Service()).first;
    auto& service = found->second;
    if (service.waiting.size() >= kMostWaiting) {
      return done(make_error(ErrorCode::overloaded, "too many requests wait for the list of instances"));
    }
    service.waiting.push_back(std::move(done));
    if (service.asked.empty()) ask_for(found->first);
  }

 protected:
  using Found = Result<std::shared_ptr<const ServiceList>>;
  /// Calls answer() for it, once, within the call or later.
  virtual void ask(const std::string& service) = 0;
  void answer(const std::string& name, const Found& found) {
    auto& service = services_.find(name)->second;
    auto answered = std::exchange(service.asked, {});
    if (!service.waiting.empty()) ask_for(name);
    for (auto& done : answered) done(found);
  }

 private:
  /// More than any crowd in the air; beyond, the answer is an error at once.
  static constexpr std::size_t kMostWaiting = 65'536;
  struct Service {
    std::vector<Done> asked;    ///< of the question under way
    std::vector<Done> waiting;  ///< for the next one
  };
  void ask_for(const std::string& name) {
    auto& service = services_.find(name)->second;
    service.asked.swap(service.waiting);
    ask(name);
  }

  std::map<std::string, Service, std::less<>> services_;
};

}  // namespace doorbuster
