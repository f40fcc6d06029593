#pragma once
// The filters that every request passes.

#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "services/gateway/address_range.hpp"
#include "services/gateway/filter.hpp"

namespace doorbuster::gateway {

/// Drops what concerns one connection only (hop-by-hop, and what `Connection` names), what the gateway writes
/// itself, and what a client must not say: fields of ours, and names with an underscore, which some servers
/// read as if they had a hyphen. Refuses a path or an authority that two readers could understand
/// differently.
class HeaderHygiene final : public Filter {
 public:
  std::optional<http::Response> on_request(Passage& passage) override;
};

/// `X-Forwarded-For`, `-Proto`, `-Host` as a peer of a trusted range has them, and the peer itself; of others
/// they are replaced by what the gateway knows. `Forwarded` and `X-Real-IP` go the same way.
class Forwarded final : public Filter {
 public:
  explicit Forwarded(AddressRanges trusted) : trusted_(std::move(trusted)) {}
  std::optional<http::Response> on_request(Passage& passage) override;

 private:
  AddressRanges trusted_;
  std::string for_;  // of this request
};

/// `X-Request-Id`: the client's when it is a sensible one, else a new one. Goes upstream and back.
class RequestId final : public Filter {
 public:
  explicit RequestId(SeededRandom& random) : random_(random) {}
  std::optional<http::Response> on_request(Passage& passage) override;

 private:
  SeededRandom& random_;
};

/// W3C `traceparent`: passed on when it is valid, otherwise begun anew, without the old one's `tracestate`.
class TraceContext final : public Filter {
 public:
  explicit TraceContext(SeededRandom& random) : random_(random) {}
  std::optional<http::Response> on_request(Passage& passage) override;
  static bool is_valid(std::string_view traceparent);

 private:
  SeededRandom& random_;
};

/// Cross-origin requests of the origins given; `*` is every one, without credentials. Answers preflights.
class Cors final : public Filter {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}
  std::optional<http::Response> on_request(Passage& passage) override;

 private:
  bool allows(std::string_view origin) const;
  std::vector<std::string> origins_;
};

/// One line for each `every`th request; 0: none.
class AccessLog final : public Filter {
 public:
  explicit AccessLog(std::uint32_t every) : every_(every) {}
  std::optional<http::Response> on_request(Passage& passage) override;
  void on_end(const Passage& passage) override;

 private:
  std::uint32_t every_;
  std::uint32_t until_next_ = 1;
};

/// Appends `bits` as sixteen hexadecimal digits.
void append_hex(std::uint64_t bits, std::string& out);

}  // namespace doorbuster::gateway
