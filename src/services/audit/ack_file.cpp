#include "services/audit/ack_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "services/audit/json_fields.hpp"

namespace doorbuster::audit {

Result<Acknowledgement> parse_acknowledgement(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return object.error();
  const auto user = id_field(*object, "user");
  const auto status = number_field(*object, "status");
  const auto problem = text_field(*object, "problem");
  const auto code = code_field(*object, "code");
  const auto sequence = number_field(*object, "sequence");
  const auto sent = time_field(*object, "sent_us");
  const auto received = time_field(*object, "received_us");
  if (!user) return user.error();
  if (!status) return status.error();
  if (!problem) return problem.error();
  if (!code) return code.error();
  if (!sequence) return sequence.error();
  if (!sent) return sent.error();
  if (!received) return received.error();
  if (!*user) return missing_field("user");
  Acknowledgement ack;
  ack.user = **user;
  ack.status = static_cast<int>(status->value_or(0));
  ack.problem = problem->value_or("");
  ack.code = *code;
  ack.sequence = sequence->value_or(0);
  ack.sent_at = *sent;
  ack.received_at = *received;
  return ack;
}

Result<AckFile> AckFile::open(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return make_error(ErrorCode::unavailable, fmt::format("cannot read {}: {}", path, std::strerror(errno)),
                      "acks");
  }
  return AckFile(path, std::move(file));
}

Result<std::vector<Acknowledgement>> AckFile::next(std::size_t max) {
  std::vector<Acknowledgement> page;
  std::string line;
  while (page.size() < max && std::getline(file_, line)) {
    ++line_;
    if (file_.eof()) break;
    if (line.empty()) continue;
    auto ack = parse_acknowledgement(line);
    if (!ack) {
      auto error = ack.error();
      error.detail = fmt::format("{} line {}: {}", path_, line_, error.detail);
      return error;
    }
    ack->where = fmt::format("{}:{}", path_, line_);
    page.push_back(std::move(*ack));
  }
  if (file_.bad()) return make_error(ErrorCode::unavailable, "cannot read " + path_, "acks");
  return page;
}

}  // namespace doorbuster::audit
