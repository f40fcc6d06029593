#include "adapters/redis/service_copy.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/log.hpp"

namespace doorbuster {
namespace {

namespace json = boost::json;

/// Version of the form: another one is written under another key.
constexpr std::string_view kKey = "doorbuster:instances:1:";

std::string key_of(std::string_view service) {
  return std::string(kKey) + std::string(service);
}

redis::Options for_copies(redis::Options options, const char* name) {
  options.client_name = name;
  options.wants_durability = false;  // it can be made again
  return options;
}

constexpr std::string_view kStatusNames[] = {"UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"};

std::int64_t in_milliseconds(Duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

InstanceStatus status_of(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kStatusNames); ++i) {
    if (kStatusNames[i] == name) return static_cast<InstanceStatus>(i);
  }
  return InstanceStatus::unknown;
}

Error malformed() {
  return make_error(ErrorCode::malformed, "the list of instances in Redis is none of ours");
}

/// \returns false when it is not what service_copy_text() writes
bool read_instance(const json::value& value, ServiceInstance& into) {
  const auto* const object = value.if_object();
  if (object == nullptr) return false;
  const auto text = [&](const char* name, std::string& out) {
    const auto* const field = object->if_contains(name);
    const auto* const string = field == nullptr ? nullptr : field->if_string();
    if (string != nullptr) out.assign(string->data(), string->size());
    return string != nullptr;
  };
  std::string status;
  if (!text("id", into.id) || !text("service", into.service) || !text("host", into.host) ||
      !text("status", status)) {
    return false;
  }
  const auto* const port = object->if_contains("port");
  const auto* const number = port == nullptr ? nullptr : port->if_int64();
  const auto* const secure = object->if_contains("secure");
  const auto* const metadata = object->if_contains("metadata");
  if (number == nullptr || *number < 0 || *number > 65535 || secure == nullptr || !secure->is_bool() ||
      metadata == nullptr || !metadata->is_object()) {
    return false;
  }
  into.port = static_cast<std::uint16_t>(*number);
  into.secure = *secure->if_bool();
  into.status = status_of(status);
  for (const auto& [key, data] : *metadata->if_object()) {
    if (!data.is_string()) return false;
    into.metadata.emplace(key, std::string_view(*data.if_string()));
  }
  return true;
}

}  // namespace

std::string service_copy_text(const ServiceList& list) {
  json::array all;
  for (const auto& instance : list) {
    json::object metadata;
    for (const auto& [key, value] : instance.metadata) metadata[key] = value;
    json::object one;
    one["id"] = instance.id;
    one["service"] = instance.service;
    one["host"] = instance.host;
    one["port"] = instance.port;
    one["secure"] = instance.secure;
    one["status"] = kStatusNames[static_cast<std::size_t>(instance.status)];
    one["metadata"] = std::move(metadata);
    all.push_back(std::move(one));
  }
  return json::serialize(all);
}

Result<ServiceList> read_service_copy(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_array()) return malformed();
  ServiceList list;
  for (const auto& one : *value.if_array()) {
    if (!read_instance(one, list.emplace_back())) return malformed();
  }
  return list;
}

// --- ServiceCopyKeeper ---------------------------------------------------------------------------------

ServiceCopyKeeper::ServiceCopyKeeper(rt::Shard& shard, redis::Options options, ServiceDirectory& directory,
                                     const std::set<std::string>& services, Times times)
    : shard_(shard),
      directory_(directory),
      times_(times),
      connection_(shard, for_copies(std::move(options), "doorbuster-copies"),
                  {.up = [this](const redis::ServerFacts&) { refresh(); },
                   .down =
                       [](const Error& why) {
                         log().warn("the copy of the registry is not kept in Redis: {}", why.detail);
                       }}) {
  for (const auto& service : services) copies_.try_emplace(service);
  directory_.subscribe(shard_, [this, alive = alive_] {
    if (!*alive) return;
    told_ = true;
    learn();
  });
  learn();
  connection_.start();
  tick();
}

/// Told after each answer of the registry, also when it brought nothing new.
void ServiceCopyKeeper::learn() {
  for (auto& copy : copies_) {
    auto list = directory_.instances(copy.first);
    auto& known = copy.second.list;
    if (known ? *list == *known : list->empty() && !told_) continue;
    known = std::move(list);
    copy.second.written = false;
    write(copy);
  }
}

void ServiceCopyKeeper::write(Copies::value_type& copy) {
  if (!connection_.up()) return;  // written when it is
  redis::Command command{"SET", key_of(copy.first), service_copy_text(*copy.second.list), "PX"};
  command.add(in_milliseconds(times_.lasts));
  connection_.send(
      command, [&copy, list = copy.second.list, alive = alive_](const Result<redis::Reply>& reply) {
        if (!*alive || !reply) return;
        if (!reply->is_error()) {
          if (copy.second.list == list) copy.second.written = true;
          copy.second.complained = false;
        } else if (!std::exchange(copy.second.complained, true)) {
          log().warn("Redis takes no copy of the instances of '{}': {}", copy.first, reply->text());
        }
      });
}

void ServiceCopyKeeper::prolong(Copies::value_type& copy) {
  redis::Command command{"PEXPIRE", key_of(copy.first)};
  command.add(in_milliseconds(times_.lasts));
  connection_.send(command, [this, &copy, alive = alive_](const Result<redis::Reply>& reply) {
    if (*alive && reply && reply->kind() == redis::Reply::Kind::integer && reply->integer() == 0) {
      write(copy);  // it is gone: Redis was emptied
    }
  });
}

void ServiceCopyKeeper::refresh() {
  for (auto& copy : copies_) {
    if (copy.second.list == nullptr) continue;
    if (copy.second.written) {
      prolong(copy);
    } else {
      write(copy);
    }
  }
}

void ServiceCopyKeeper::tick() {
  refresh();
  shard_.after(times_.refresh, [this, alive = alive_] {
    if (*alive) tick();
  });
}

// --- RedisLookup ---------------------------------------------------------------------------------------

RedisLookup::RedisLookup(rt::Shard& shard, redis::Options options)
    : connection_(shard, for_copies(std::move(options), "doorbuster-lookup"), {}) {
  connection_.start();
}

void RedisLookup::ask(const std::string& service) {
  connection_.send(
      redis::Command{"GET", key_of(service)}, [this, service, alive = alive_](Result<redis::Reply> reply) {
        if (!*alive) return;
        if (!reply) {
          return answer(
              service, make_error(ErrorCode::unavailable, "Redis, which has the instances, does not answer"));
        }
        if (reply->is_error()) {
          return answer(service, make_error(ErrorCode::unavailable, redis::error_of(*reply).detail));
        }
        if (reply->is_nil()) {
          return answer(service, make_error(ErrorCode::unavailable,
                                            "Redis has no copy of the instances of '" + service + "'"));
        }
        auto list = read_service_copy(reply->text());
        if (!list) return answer(service, list.error());
        answer(service, std::make_shared<const ServiceList>(std::move(*list)));
      });
}

}  // namespace doorbuster
