#pragma once
// Port: how the gateway comes to know a service's instances when a request needs them: the three ways that
// the experiment Q1 compares.
//
//   local      the directory's copy in this process, changed when the registry tells so (default)
//   registry   the registry is asked for each request
//   redis      a copy in Redis is read for each request
//
// One for each shard, called on its thread.

#include <memory>
#include <string_view>

#include "base/unique_function.hpp"
#include "ports/service_directory.hpp"

namespace doorbuster {

class InstanceLookup {
 public:
  using Done = UniqueFunction<void(Result<std::shared_ptr<const ServiceList>>)>;
  virtual ~InstanceLookup() = default;
  /// Whether the directory's copy is all that is needed: then look_up() is never called.
  virtual bool is_local() const = 0;
  /// `done` is called on the shard, within the call or later. \returns to it: unavailable
  virtual void look_up(std::string_view service, Done done) = 0;
};

class LocalLookup final : public InstanceLookup {
 public:
  explicit LocalLookup(ServiceDirectory& directory) : directory_(directory) {}
  bool is_local() const override { return true; }
  void look_up(std::string_view service, Done done) override { done(directory_.instances(service)); }

 private:
  ServiceDirectory& directory_;
};

/// No registry at all: there are only fixed addresses.
class EmptyDirectory final : public ServiceDirectory {
 public:
  std::shared_ptr<const ServiceList> instances(std::string_view) override { return none_; }
  void subscribe(Executor&, UniqueFunction<void()>) override {}

 private:
  std::shared_ptr<const ServiceList> none_ = std::make_shared<const ServiceList>();
};

}  // namespace doorbuster
