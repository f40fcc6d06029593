#include "adapters/redis/redis_request_book.hpp"

#include <algorithm>
#include <charconv>

namespace doorbuster {

using redis::Command;
using redis::Reply;
using redis::ScriptId;

namespace {

constexpr std::string_view kAnswers = "doorbuster:{requests}:answers";
constexpr std::string_view kSettled = "doorbuster:{requests}:settled";
constexpr std::string_view kOwners = "doorbuster:{requests}:owners";
constexpr std::string_view kWaiting = "doorbuster:{requests}:waiting:";

/// No id, campaign or user holds a space.
std::string noted(char kind, const RequestAnswer& answer) {
  std::string text;
  text.reserve(answer.body.size() + answer.user.text().size() + 3);
  text += kind;
  text += ' ';
  text += answer.user.text();
  text += ' ';
  text += answer.body;
  return text;
}

std::string noted(const QueuedRequest& queued) {
  return std::string(queued.request.campaign.text()) + ' ' + std::string(queued.request.user.text()) + ' ' +
         std::to_string(queued.accepted_at.time_since_epoch().count());
}

std::string_view take_word(std::string_view& text) {
  const auto end = text.find(' ');
  const auto word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

Error unreadable(std::string_view id) {
  return make_error(ErrorCode::corrupt,
                    "what Redis has noted of the request '" + std::string(id) + "' cannot be read");
}

Result<QueuedRequest> read_queued(std::string_view id, std::string_view text) {
  const auto campaign = CampaignId::parse(take_word(text));
  const auto user = UserId::parse(take_word(text));
  std::int64_t accepted = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), accepted);
  if (!campaign || !user || wrong != std::errc{} || end != text.data() + text.size()) return unreadable(id);
  return QueuedRequest{std::string(id), {*campaign, *user}, Timestamp{Duration{accepted}}};
}

Result<RequestAnswer> read_answer(std::string id, std::string_view text) {
  take_word(text);  // whether it is settled
  const auto user = UserId::parse(take_word(text));
  if (!user || text.empty()) return unreadable(id);
  return RequestAnswer{std::move(id), *user, std::string(text)};
}

Command words(std::initializer_list<std::string_view> keys) {
  return redis::LedgerCore::words(keys);
}

}  // namespace

RedisRequestBook::RedisRequestBook(redis::Connection& connection, RandomSource& random,
                                   RequestBookOptions options)
    : connection_(connection), random_(random), options_(options) {
  take_another_name();
}

void RedisRequestBook::take_another_name() {
  CouponCode::Bytes bytes;
  random_.fill(bytes);
  owner_ = CouponCode(bytes).text();
  waiting_ = std::string(kWaiting) + owner_;
}

bool RedisRequestBook::failed(const Result<Reply>& reply, Error& error) {
  if (!reply) {
    if (reply.error().code == ErrorCode::unknown_outcome) take_another_name();
    error = reply.error();
    return true;
  }
  if (reply->is_error()) error = error_of(*reply);
  return reply->is_error();
}

void RedisRequestBook::accept(std::vector<QueuedRequest> requests, std::vector<RequestAnswer> pending,
                              Done<void> done) {
  DOORBUSTER_ASSERT(requests.size() == pending.size());
  if (requests.empty()) return done({});
  Command command = words({kAnswers, kSettled, kOwners, waiting_});
  command.add(owner_).add(static_cast<std::int64_t>(options_.most_pending));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    command.add(requests[i].id).add(noted('p', pending[i])).add(noted(requests[i]));
  }
  connection_.run(ScriptId::queue_accept, std::move(command),
                  [this, done = std::move(done)](Result<Reply> reply) mutable {
                    if (Error error; failed(reply, error)) return done(std::move(error));
                    if ((*reply)[0].text() == "full") {
                      return done(make_error(ErrorCode::overloaded,
                                             "too many requests wait for their outcome; ask again"));
                    }
                    done({});
                  });
}

void RedisRequestBook::settle(std::vector<RequestAnswer> outcomes, Done<void> done) {
  if (outcomes.empty()) return done({});
  Command command = words({kAnswers, kSettled, waiting_});
  command.add(static_cast<std::int64_t>(options_.most_settled)).add(options_.kept_for.count());
  for (const auto& outcome : outcomes) command.add(outcome.id).add(noted('s', outcome));
  connection_.run(ScriptId::queue_settle, std::move(command),
                  [done = std::move(done)](Result<Reply> reply) mutable {
                    if (!reply) return done(reply.error());
                    if (reply->is_error()) return done(error_of(*reply));
                    done({});
                  });
}

void RedisRequestBook::take_over(std::size_t max, Done<std::vector<QueuedRequest>> done) {
  Command command = words({kOwners, waiting_});
  command.add(owner_).add(options_.dead_after.count()).add(static_cast<std::int64_t>(max)).add(kWaiting);
  connection_.run(
      ScriptId::queue_take, std::move(command), [this, done = std::move(done)](Result<Reply> reply) mutable {
        if (Error error; failed(reply, error)) return done(std::move(error));
        std::vector<QueuedRequest> taken;
        for (std::size_t i = 1; i + 1 < reply->size(); i += 2) {
          auto queued = read_queued((*reply)[i].text(), (*reply)[i + 1].text());
          if (!queued) return done(queued.error());
          taken.push_back(std::move(*queued));
        }
        std::stable_sort(taken.begin(), taken.end(),
                         [](const auto& a, const auto& b) { return a.accepted_at < b.accepted_at; });
        done(std::move(taken));
      });
}

void RedisRequestBook::find(std::string id, Done<std::optional<RequestAnswer>> done) {
  const Command command{"HGET", kAnswers, id};
  connection_.send(command, [id = std::move(id), done = std::move(done)](Result<Reply> reply) mutable {
    if (!reply) return done(reply.error());
    if (reply->is_error()) return done(error_of(*reply));
    if (reply->is_nil()) return done(std::optional<RequestAnswer>());
    auto answer = read_answer(std::move(id), reply->text());
    if (!answer) return done(answer.error());
    done(std::optional(std::move(*answer)));
  });
}

}  // namespace doorbuster
