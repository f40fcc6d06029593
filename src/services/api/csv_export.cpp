// All coupons of a campaign as CSV, page after page: never whole in memory, however many there are.

#include "services/api/coupon_json.hpp"
#include "services/api/endpoint.hpp"
#include "services/api/request_values.hpp"

namespace doorbuster::api {
namespace {

constexpr std::size_t kPage = 1'000;

using Coupons = std::vector<StoredCoupon>;

/// Where an export stands. Shared with the look-up that is under way, which may outlive the connection.
struct Export {
  ContextPtr context;
  CampaignId campaign;
  std::uint64_t after = 0;
  bool finished = false;

  std::string take(const Coupons& page) {
    std::string piece;
    piece.reserve(page.size() * 120);
    for (const auto& stored : page) append_coupon_csv(piece, stored);
    if (!page.empty()) after = page.back().coupon.sequence;
    finished = page.size() < kPage;
    return piece;
  }
};
using ExportPtr = std::shared_ptr<Export>;

template <class Done>
void read_page(const ExportPtr& state, Done done) {
  auto& parts = state->context->parts;
  parts.offload.run<Coupons>(
      parts.executor,
      [&repository = parts.repository, campaign = state->campaign, after = state->after] {
        return repository.list(campaign, after, kPage);
      },
      std::move(done));
}

class CsvBody final : public net::BodySource {
 public:
  CsvBody(ExportPtr state, std::string first) : state_(std::move(state)), first_(std::move(first)) {}

  void next(Next done) override {
    if (!first_.empty()) return done(std::optional(std::exchange(first_, {})));
    if (state_->finished) return done(std::optional<std::string>());
    read_page(state_, [state = state_, done = std::move(done)](Result<Coupons> page) mutable {
      if (!page) return done(page.error());
      auto piece = state->take(*page);
      // A campaign whose size is a multiple of the page ends with an empty one.
      if (piece.empty()) return done(std::optional<std::string>());
      done(std::optional(std::move(piece)));
    });
  }

 private:
  ExportPtr state_;
  std::string first_;
};

void start(const ExportPtr& state, Reply reply) {
  // The first page comes before the status, so that a repository that does not answer is a 503.
  read_page(state, [state, reply = std::move(reply)](Result<Coupons> page) mutable {
    ApiContext& context = *state->context;
    if (!page) return context.answer(reply, page.error());
    http::Response head;
    head.content_type = "text/csv; charset=utf-8";
    head.headers.emplace_back(
        "Content-Disposition",
        "attachment; filename=\"" + std::string(state->campaign.text()) + "-coupons.csv\"");
    auto first = std::string(kCouponCsvHeader) + state->take(*page);
    context.count(head.status);
    reply.send_stream(head, std::make_unique<CsvBody>(state, std::move(first)));
  });
}

}  // namespace

void export_coupons(const ContextPtr& context, const Call& call, Reply reply) {
  const auto campaign = campaign_in_path(call.parameters[0]);
  if (!campaign) return context->answer(reply, campaign.error());
  context->parts.ledger.show(
      *campaign, [context, campaign = *campaign, reply = std::move(reply)](auto view) mutable {
        if (!view) return context->answer(reply, view.error());
        if (!*view) return context->answer(reply, no_such_campaign());
        start(std::make_shared<Export>(Export{context, campaign, 0, false}), std::move(reply));
      });
}

}  // namespace doorbuster::api
