#include "services/registry/target.hpp"

#include "proto/eureka/text.hpp"
#include "proto/http/message.hpp"

namespace doorbuster::registry {
namespace {

/// Takes the first segment off `path`, which then begins with the next slash or is empty.
std::string_view take_segment(std::string_view& path) {
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const auto end = path.find('/');
  const auto segment = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  return segment;
}

bool is_version(std::string_view segment) {
  return segment.size() == 2 && (segment[0] == 'v' || segment[0] == 'V') &&
         (segment[1] == '1' || segment[1] == '2');
}

std::string upper_case(std::string text) {
  for (auto& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

/// Takes `/word` off the end.
bool take_last(std::string_view& path, std::string_view word) {
  if (path.size() <= word.size() + 2 || !path.ends_with(word) || path[path.size() - word.size() - 1] != '/') {
    return false;
  }
  path.remove_suffix(word.size() + 1);
  return true;
}

/// What is not UTF-8 is no name: it would stand in every list, which no strict client could read any more.
std::optional<std::string> decoded_text(std::string_view escaped) {
  auto text = http::percent_decoded(escaped);
  if (text && !eureka::is_utf8(*text)) return std::nullopt;
  return text;
}

/// The rest of a path as one value.
std::optional<std::string> decoded(std::string_view rest) {
  if (!rest.empty() && rest.front() == '/') rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  return decoded_text(rest);
}

std::optional<Target> with_id(Subject subject, std::string_view rest) {
  auto id = decoded(rest);
  if (!id) return std::nullopt;
  return Target{subject, {}, std::move(*id)};
}

std::optional<Target> below_apps(std::string_view rest) {
  if (rest.empty()) return Target{Subject::all, {}, {}};
  const auto first = take_segment(rest);
  if (rest.empty() && first == "delta") return Target{Subject::delta, {}, {}};
  auto app = decoded_text(first);
  if (!app || app->empty()) return std::nullopt;
  Target target{Subject::app, upper_case(std::move(*app)), {}};
  if (rest.empty()) return target;
  target.subject = take_last(rest, "status")     ? Subject::status
                   : take_last(rest, "metadata") ? Subject::metadata
                                                 : Subject::instance;
  auto id = decoded(rest);
  if (!id) return std::nullopt;
  target.id = std::move(*id);
  return target;
}

}  // namespace

std::optional<Target> parse_target(std::string_view path) {
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  auto segment = take_segment(path);
  if (segment == "eureka") segment = take_segment(path);
  if (is_version(segment)) segment = take_segment(path);
  if (segment == "apps") return below_apps(path);
  if (segment == "instances") return with_id(Subject::id, path);
  if (segment == "vips") return with_id(Subject::vip, path);
  if (segment == "svips") return with_id(Subject::secure_vip, path);
  if (segment == "asg") return with_id(Subject::asg, path);
  if (segment == "peerreplication") return Target{Subject::replication, {}, {}};
  return std::nullopt;
}

}  // namespace doorbuster::registry
