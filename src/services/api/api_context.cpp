#include "services/api/api_context.hpp"

#include "services/api/problem.hpp"

namespace doorbuster::api {

void ApiContext::answer(Reply& reply, const Error& error) {
  answer(reply, problem(error));
}

void ApiContext::answer_json(Reply& reply, int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  answer(reply, response);
}

}  // namespace doorbuster::api
