#include "services/api/coupon_json.hpp"

#include <charconv>
#include <cstring>

#include "services/api/json_text.hpp"

namespace doorbuster::api {
namespace {

void append_code(std::string& out, const CouponCode& code) {
  char text[16];
  code.write(text);
  out.append(text, sizeof text);
}

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// The coupons of a batch are decided at one moment: its text is made once.
std::string_view text_of_moment(Timestamp time) {
  thread_local Timestamp last{};
  thread_local char text[27] = {};
  if (time != last || text[0] == '\0') {
    write_text(time, text);
    last = time;
  }
  return {text, sizeof text};
}

/// Everything but the closing brace. Ids and codes need no escapes by their alphabets.
void append_open_coupon(std::string& out, const CampaignId& campaign, const Coupon& coupon,
                        std::string_view durable) {
  char text[512];  // names and punctuation 100, two ids of 64, code 16, number 20, time 27, durability 9
  char* at = put(text, R"({"code":")");
  coupon.code.write(at);
  at = put(at + 16, R"(","campaign_id":")");
  at = put(at, campaign.text());
  at = put(at, R"(","user_id":")");
  at = put(at, coupon.user.text());
  at = put(at, R"(","sequence":)");
  at = std::to_chars(at, text + sizeof text, coupon.sequence).ptr;
  at = put(at, R"(,"issued_at":")");
  at = put(at, text_of_moment(coupon.decided_at));
  at = put(at, R"(","durable":")");
  at = put(at, durable);
  *at++ = '"';
  out.append(text, static_cast<std::size_t>(at - text));
}

void append_csv_time(std::string& out, Timestamp time) {
  char text[27];
  write_text(time, text);
  out.append(text, sizeof text);
}

}  // namespace

void append_coupon_json(std::string& out, const CampaignId& campaign, const Coupon& coupon,
                        std::string_view durable) {
  append_open_coupon(out, campaign, coupon, durable);
  out += '}';
}

void append_coupon_json(std::string& out, const StoredCoupon& stored, std::string_view durable) {
  append_open_coupon(out, stored.campaign, stored.coupon, durable);
  if (stored.redeemed_at) {
    out += R"(,"redeemed_at":)";
    append_json_time(out, *stored.redeemed_at);
  }
  out += '}';
}

void append_redemption_json(std::string& out, const Redemption& redemption) {
  out += R"({"code":")";
  append_code(out, redemption.code);
  out += R"(","redeemed_at":)";
  append_json_time(out, redemption.redeemed_at);
  out += '}';
}

void append_holder_line(std::string& out, const Decision& holder) {
  out += R"({"sequence":)";
  append_json_number(out, holder.coupon.sequence);
  out += R"(,"user_id":")";
  out += holder.coupon.user.text();
  out += R"(","code":")";
  append_code(out, holder.coupon.code);
  out += R"(","decided_at":)";
  append_json_time(out, holder.coupon.decided_at);
  out += R"(,"pending":)";
  out += holder.pending ? "true" : "false";
  out += R"(,"refilled":)";
  out += holder.refilled ? "true" : "false";
  out += R"(,"epoch":)";
  append_json_number(out, holder.epoch);
  out += R"(,"revision":)";
  append_json_number(out, holder.revision);
  out += "}\n";
}

void append_missing_json(std::string& out, const std::vector<NumberRange>& missing) {
  out += R"({"missing":[)";
  for (const auto& range : missing) {
    if (&range != missing.data()) out += ',';
    out += R"({"first":)";
    append_json_number(out, range.first);
    out += R"(,"last":)";
    append_json_number(out, range.last);
    out += '}';
  }
  out += "]}";
}

const std::string_view kCouponCsvHeader = "sequence,code,user_id,issued_at,redeemed_at\n";

void append_coupon_csv(std::string& out, const StoredCoupon& stored) {
  // No field can hold a comma, a quote or a line feed.
  append_json_number(out, stored.coupon.sequence);
  out += ',';
  append_code(out, stored.coupon.code);
  out += ',';
  out += stored.coupon.user.text();
  out += ',';
  append_csv_time(out, stored.coupon.decided_at);
  out += ',';
  if (stored.redeemed_at) append_csv_time(out, *stored.redeemed_at);
  out += '\n';
}

}  // namespace doorbuster::api
