#include "proto/event/event_bytes.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace doorbuster::event {
namespace {

enum class Kind : std::uint8_t { coupons = 1, definition = 2 };
constexpr std::uint8_t kVersion = 1;

constexpr std::size_t kMarkBytes = 2;  // kind and version
constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kTimeBytes = 8;
/// Of a coupon, without the text of the user's id.
constexpr std::size_t kCouponBytes = 8 + kTimeBytes + CouponCode::kBytes + 1;

/// Writes to a place whose size is known before: every coupon passes through here.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  template <class Integer>
  Writer& number(Integer value) {
    const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
    for (std::size_t i = 0; i < sizeof bits; ++i)
      at_[i] = static_cast<char>(std::uint64_t{bits} >> (8 * i) & 0xff);
    at_ += sizeof bits;
    return *this;
  }
  Writer& text(std::string_view value) {
    DOORBUSTER_ASSERT(value.size() <= 0xffff);
    return number(static_cast<std::uint16_t>(value.size())).raw(value.data(), value.size());
  }
  Writer& short_text(std::string_view value) {
    return number(static_cast<std::uint8_t>(value.size())).raw(value.data(), value.size());
  }
  Writer& time(Timestamp value) { return number(std::int64_t{value.time_since_epoch().count()}); }
  Writer& time(const std::optional<Timestamp>& value) {
    return number(static_cast<std::uint8_t>(value.has_value())).time(value.value_or(Timestamp{}));
  }
  Writer& raw(const void* from, std::size_t size) {
    if (size > 0) std::memcpy(at_, from, size);
    at_ += size;
    return *this;
  }
  char* end() const { return at_; }

 private:
  char* at_;
};

/// Reads from the front. After the first thing that is not there, everything is empty and `good()` is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class Integer>
  Integer number() {
    std::make_unsigned_t<Integer> bits = 0;
    const auto from = take(sizeof bits);
    for (std::size_t i = 0; i < from.size(); ++i)
      bits |= static_cast<decltype(bits)>(std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i));
    return static_cast<Integer>(bits);
  }
  std::string_view text() { return take(number<std::uint16_t>()); }
  std::string_view short_text() { return take(number<std::uint8_t>()); }
  bool flag() {
    const auto byte = number<std::uint8_t>();
    good_ &= byte <= 1;
    return byte == 1;
  }
  Timestamp time() { return Timestamp(Duration(number<std::int64_t>())); }
  std::optional<Timestamp> optional_time() {
    const bool is_set = flag();
    const auto at = time();
    return is_set ? std::optional(at) : std::nullopt;
  }
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) {
      good_ = false;
      bytes_ = {};
    }
    if (!good_) return {};
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  bool good() const { return good_; }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

bool alike(const CouponIssued& one, const CouponIssued& other) {
  return one.epoch == other.epoch && one.revision == other.revision && one.refilled == other.refilled &&
         one.campaign == other.campaign && one.instance == other.instance;
}

Error corrupt(std::string why) {
  return make_error(ErrorCode::corrupt, std::move(why));
}

Result<CampaignDefinition> read_definition(Reader& from) {
  CampaignDefinition definition;
  auto id = CampaignId::parse(from.text());
  definition.epoch = from.number<std::uint32_t>();
  definition.revision = from.number<std::uint32_t>();
  definition.name = from.text();
  definition.limit = from.number<std::uint64_t>();
  definition.starts_at = from.optional_time();
  definition.ends_at = from.optional_time();
  const auto status = parse_campaign_status(from.text());
  const auto strategy = parse_strategy(from.text());
  const auto durability = parse_durability(from.text());
  definition.created_at = from.time();
  if (!from.good() || !from.rest().empty()) return corrupt("its definition has not the length that it tells");
  if (!id || !status || !strategy || !durability) return corrupt("its definition is not valid");
  definition.id = *id;
  definition.status = *status;
  definition.strategy = *strategy;
  definition.durability = *durability;
  return definition;
}

}  // namespace

std::size_t append_coupons(std::span<const CouponIssued> events, std::string& out) {
  const CouponIssued& first = events.front();
  std::size_t size = kMarkBytes + kCountBytes + 2 * kLengthBytes + sizeof first.epoch +
                     sizeof first.revision + 1 + first.campaign.text().size() + first.instance.view().size();
  std::size_t count = 0;
  for (const auto most = std::min(events.size(), kMostCouponsTogether); count < most; ++count) {
    if (count > 0 && !alike(first, events[count])) break;
    size += kCouponBytes + events[count].coupon.user.text().size();
  }
  const auto before = out.size();
  out.resize(before + size);
  Writer to(out.data() + before);
  to.number(static_cast<std::uint8_t>(Kind::coupons))
      .number(kVersion)
      .number(static_cast<std::uint32_t>(count))
      .text(first.campaign.text())
      .number(first.epoch)
      .number(first.revision)
      .number(static_cast<std::uint8_t>(first.refilled))
      .text(first.instance.view());
  for (const auto& event : events.first(count)) {
    const Coupon& coupon = event.coupon;
    to.number(coupon.sequence)
        .time(coupon.decided_at)
        .raw(coupon.code.bytes().data(), CouponCode::kBytes)
        .short_text(coupon.user.text());
  }
  DOORBUSTER_ASSERT(to.end() == out.data() + out.size());
  return count;
}

void append_definition(const CampaignDefinition& definition, std::string& out) {
  const auto before = out.size();
  out.resize(before + kMarkBytes + 5 * kLengthBytes + sizeof definition.epoch + sizeof definition.revision +
             sizeof definition.limit + 2 * (1 + kTimeBytes) + kTimeBytes + definition.id.text().size() +
             definition.name.size() + to_text(definition.status).size() +
             to_text(definition.strategy).size() + to_text(definition.durability).size());
  const char* end = Writer(out.data() + before)
                        .number(static_cast<std::uint8_t>(Kind::definition))
                        .number(kVersion)
                        .text(definition.id.text())
                        .number(definition.epoch)
                        .number(definition.revision)
                        .text(definition.name)
                        .number(definition.limit)
                        .time(definition.starts_at)
                        .time(definition.ends_at)
                        .text(to_text(definition.status))
                        .text(to_text(definition.strategy))
                        .text(to_text(definition.durability))
                        .time(definition.created_at)
                        .end();
  DOORBUSTER_ASSERT(end == out.data() + out.size());
}

Result<BytesReader> BytesReader::open(std::string_view bytes) {
  Reader from(bytes);
  const auto kind = from.number<std::uint8_t>();
  const auto version = from.number<std::uint8_t>();
  if (!from.good()) return corrupt("it is empty");
  if (version != kVersion) return corrupt(fmt::format("its version is {}", version));
  BytesReader reader;
  if (kind == static_cast<std::uint8_t>(Kind::definition)) {
    reader.definition_ = true;
    reader.left_ = 1;
    reader.rest_ = from.rest();
    return reader;
  }
  if (kind != static_cast<std::uint8_t>(Kind::coupons)) {
    return corrupt(fmt::format("{} is no kind of event", kind));
  }
  reader.left_ = from.number<std::uint32_t>();
  const auto campaign = CampaignId::parse(from.text());
  reader.alike_.epoch = from.number<std::uint32_t>();
  reader.alike_.revision = from.number<std::uint32_t>();
  reader.alike_.refilled = from.flag();
  const auto instance = from.text();
  if (!from.good()) return corrupt("it is cut off");
  if (!campaign) return corrupt("its campaign id is not valid");
  if (instance.size() > InstanceName::kCapacity) return corrupt("its instance name is too long");
  // A coupon takes that much at least: a count that cannot be true is found before anybody believes it.
  if (reader.left_ == 0 || reader.left_ > from.rest().size() / kCouponBytes) {
    return corrupt(fmt::format("it has not the {} coupons that it tells of", reader.left_));
  }
  reader.alike_.campaign = *campaign;
  reader.alike_.instance = InstanceName(instance);
  reader.rest_ = from.rest();
  return reader;
}

Result<void> BytesReader::next(Event& event) {
  DOORBUSTER_ASSERT(left_ > 0);
  if (!definition_) {
    auto* coupon = std::get_if<CouponIssued>(&event);
    return next_coupon(coupon == nullptr ? event.emplace<CouponIssued>() : *coupon);
  }
  Reader from(rest_);
  auto definition = read_definition(from);
  if (!definition) return definition.error();
  left_ = 0;
  event = CampaignChanged{std::move(*definition)};
  return {};
}

Result<void> BytesReader::next_coupon(CouponIssued& event) {
  Reader from(rest_);
  event.campaign = alike_.campaign;
  event.epoch = alike_.epoch;
  event.revision = alike_.revision;
  event.refilled = alike_.refilled;
  event.instance = alike_.instance;
  event.coupon.sequence = from.number<std::uint64_t>();
  event.coupon.decided_at = from.time();
  const auto code = from.take(CouponCode::kBytes);
  const auto user = UserId::parse(from.short_text());
  if (!from.good()) return corrupt("it is cut off");
  if (!user) return corrupt("a user id is not valid");
  CouponCode::Bytes bytes;
  std::copy(code.begin(), code.end(), bytes.begin());
  event.coupon.code = CouponCode(bytes);
  event.coupon.user = *user;
  rest_ = from.rest();
  if (--left_ == 0 && !rest_.empty()) return corrupt("something follows its last coupon");
  return {};
}

std::uint32_t chained_crc(std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace doorbuster::event
