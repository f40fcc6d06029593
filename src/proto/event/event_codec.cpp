#include "proto/event/event_codec.hpp"

#include <zlib.h>

#include <charconv>
#include <cstring>
#include <type_traits>

namespace doorbuster::event {
namespace {

/// Writes one object; the first member decides where commas go.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void close() { out_ += '}'; }

  void number(std::string_view name, std::uint64_t value) {
    key(name);
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out_.append(digits, end);
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    out_ += '"';
    for (const char c : value) escape(c);
    out_ += '"';
  }
  void truth(std::string_view name) {
    key(name);
    out_ += "true";
  }
  void time(std::string_view name, Timestamp value) {
    key(name);
    char text[27];
    write_text(value, text);
    out_ += '"';
    out_.append(text, sizeof text);
    out_ += '"';
  }
  void code(std::string_view name, const CouponCode& value) {
    key(name);
    char text[16];
    value.write(text);
    out_ += '"';
    out_.append(text, sizeof text);
    out_ += '"';
  }

 private:
  void key(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void escape(char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (byte < 0x20) {
      out_ += "\\u00";
      out_ += kHex[byte >> 4];
      out_ += kHex[byte & 15];
    } else {
      out_ += c;
    }
  }
  std::string& out_;
};

void write(const CouponIssued& event, std::string& out) {
  ObjectWriter object(out);
  object.number("v", kEventVersion);
  object.text("type", "issued");
  object.text("campaign_id", event.campaign.text());
  object.number("epoch", event.epoch);
  object.number("revision", event.revision);
  object.number("sequence", event.coupon.sequence);
  if (event.refilled) object.truth("refilled");
  object.text("user_id", event.coupon.user.text());
  object.code("code", event.coupon.code);
  object.time("decided_at", event.coupon.decided_at);
  object.text("instance", event.instance.view());
  object.close();
}

void write(const CampaignChanged& event, std::string& out) {
  const CampaignDefinition& definition = event.definition;
  ObjectWriter object(out);
  object.number("v", kEventVersion);
  object.text("type", "campaign");
  object.text("campaign_id", definition.id.text());
  object.text("name", definition.name);
  object.number("limit", definition.limit);
  if (definition.starts_at) object.time("starts_at", *definition.starts_at);
  if (definition.ends_at) object.time("ends_at", *definition.ends_at);
  object.text("status", to_text(definition.status));
  object.text("strategy", to_text(definition.strategy));
  object.text("durability", to_text(definition.durability));
  object.number("revision", definition.revision);
  object.number("epoch", definition.epoch);
  object.time("created_at", definition.created_at);
  object.close();
}

/// For people who look at dead letters; never read back as an event.
void write(const Unreadable& event, std::string& out) {
  ObjectWriter object(out);
  object.text("type", "unreadable");
  object.text("reason", event.reason);
  object.text("payload", event.payload);
  object.close();
}

/// Writes to a place whose size is known before: the bytes of every row pass through here.
class CanonicalWriter {
 public:
  explicit CanonicalWriter(char* at) : at_(at) {}
  template <class Integer>
  CanonicalWriter& number(Integer value) {
    const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
    for (std::size_t i = 0; i < sizeof bits; ++i)
      at_[i] = static_cast<char>(std::uint64_t{bits} >> (8 * i) & 0xff);
    at_ += sizeof bits;
    return *this;
  }
  CanonicalWriter& text(std::string_view value) {
    DOORBUSTER_ASSERT(value.size() <= 0xffff);
    number(static_cast<std::uint16_t>(value.size()));
    return raw(value.data(), value.size());
  }
  CanonicalWriter& time(Timestamp value) { return number(std::int64_t{value.time_since_epoch().count()}); }
  CanonicalWriter& time(const std::optional<Timestamp>& value) {
    number(static_cast<std::uint8_t>(value.has_value()));
    return time(value.value_or(Timestamp{}));
  }
  CanonicalWriter& bytes(const CouponCode::Bytes& value) { return raw(value.data(), value.size()); }
  const char* end() const { return at_; }

 private:
  CanonicalWriter& raw(const void* from, std::size_t size) {
    if (size > 0) std::memcpy(at_, from, size);
    at_ += size;
    return *this;
  }
  char* at_;
};

constexpr auto kVersionByte = static_cast<std::uint8_t>(kEventVersion);

/// What stands before the texts and numbers: kind and version.
constexpr std::size_t kMarkBytes = 2;
constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kTimeBytes = 8;

std::size_t canonical_size(const CouponIssued& event) {
  return kMarkBytes + 3 * kLengthBytes + sizeof event.epoch + sizeof event.revision +
         sizeof event.coupon.sequence + 1 + CouponCode::kBytes + kTimeBytes + event.campaign.text().size() +
         event.coupon.user.text().size() + event.instance.view().size();
}

std::size_t canonical_size(const CampaignChanged& event) {
  const CampaignDefinition& definition = event.definition;
  return kMarkBytes + 5 * kLengthBytes + sizeof definition.epoch + sizeof definition.revision +
         sizeof definition.limit + 2 * (1 + kTimeBytes) + kTimeBytes + definition.id.text().size() +
         definition.name.size() + to_text(definition.status).size() + to_text(definition.strategy).size() +
         to_text(definition.durability).size();
}

const char* write_canonical(const CouponIssued& event, char* to) {
  return CanonicalWriter(to)
      .number(std::uint8_t{1})
      .number(kVersionByte)
      .text(event.campaign.text())
      .number(event.epoch)
      .number(event.revision)
      .number(event.coupon.sequence)
      .number(static_cast<std::uint8_t>(event.refilled))
      .text(event.coupon.user.text())
      .bytes(event.coupon.code.bytes())
      .time(event.coupon.decided_at)
      .text(event.instance.view())
      .end();
}

const char* write_canonical(const CampaignChanged& event, char* to) {
  const CampaignDefinition& definition = event.definition;
  return CanonicalWriter(to)
      .number(std::uint8_t{2})
      .number(kVersionByte)
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
}

std::size_t canonical_size(const Unreadable&) {
  return 0;
}

const char* write_canonical(const Unreadable& event, char* to) {
  DOORBUSTER_ASSERT(event.reason.empty());  // nobody chains what could not be read
  return to;
}

template <class Kind>
void append_one(const Kind& event, std::string& out) {
  const auto before = out.size();
  out.resize(before + canonical_size(event));
  const char* end = write_canonical(event, out.data() + before);
  DOORBUSTER_ASSERT(end == out.data() + out.size());
}

}  // namespace

void append_json(const Event& event, std::string& out) {
  std::visit([&out](const auto& kind) { write(kind, out); }, event);
}

std::string to_json(const Event& event) {
  std::string out;
  out.reserve(320);
  append_json(event, out);
  return out;
}

void append_canonical(const Event& event, std::string& out) {
  std::visit([&out](const auto& kind) { append_one(kind, out); }, event);
}

void append_canonical(const CouponIssued& event, std::string& out) {
  append_one(event, out);
}

std::uint32_t chained_crc(std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace doorbuster::event
