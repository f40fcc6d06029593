#include "proto/event/event_codec.hpp"

#include <charconv>

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

}  // namespace doorbuster::event
