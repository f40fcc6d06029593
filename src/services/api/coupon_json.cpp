#include "services/api/coupon_json.hpp"

#include "services/api/json_text.hpp"

namespace doorbuster::api {
namespace {

void append_code(std::string& out, const CouponCode& code) {
  char text[16];
  code.write(text);
  out.append(text, sizeof text);
}

/// Everything but the closing brace. Ids and codes need no escapes by their alphabets.
void append_open_coupon(std::string& out, const CampaignId& campaign, const Coupon& coupon,
                        Durability durability) {
  out.reserve(out.size() + 320);
  out += R"({"code":")";
  append_code(out, coupon.code);
  out += R"(","campaign_id":")";
  out += campaign.text();
  out += R"(","user_id":")";
  out += coupon.user.text();
  out += R"(","sequence":)";
  append_json_number(out, coupon.sequence);
  out += R"(,"issued_at":)";
  append_json_time(out, coupon.decided_at);
  out += R"(,"durable":")";
  out += to_text(durability);
  out += '"';
}

void append_csv_time(std::string& out, Timestamp time) {
  char text[27];
  write_text(time, text);
  out.append(text, sizeof text);
}

}  // namespace

void append_coupon_json(std::string& out, const CampaignId& campaign, const Coupon& coupon,
                        Durability durability) {
  append_open_coupon(out, campaign, coupon, durability);
  out += '}';
}

void append_coupon_json(std::string& out, const StoredCoupon& stored) {
  // What the worker has stored, it has read from the log.
  append_open_coupon(out, stored.campaign, stored.coupon, Durability::log);
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
