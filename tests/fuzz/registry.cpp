// The registry under whatever requests: it never crashes, its counts stay right, its lists can be read.
//
// The input is a script: a line for each request, `METHOD TARGET[ BODY]`; `TICK` lets a minute pass.

#include "services/registry/test_registry.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace doorbuster;

void check_lists(registry::TestRegistry& tested) {
  for (const auto* accept : {"application/json", "application/xml"}) {
    const auto format = eureka::format_of_accept(accept);
    for (const auto* path : {"/eureka/apps", "/eureka/apps/delta"}) {
      const auto read =
          eureka::read_applications(format, registry::TestRegistry::text_of(tested.get(path, accept)));
      fuzz::check(read.has_value(), "a list can be read");
      fuzz::check(read->hash_code == tested.service.table().hash_code(),
                  "a list has the hash of this moment");
      if (path == std::string_view("/eureka/apps")) {
        std::size_t count = 0;
        for (const auto& app : read->applications) count += app.instances.size();
        fuzz::check(count == tested.service.table().size(), "a list has all instances");
      }
    }
  }
  tested.get("/", "text/html");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  registry::TestRegistry tested;
  auto script = fuzz::view(data, size);
  while (!script.empty()) {
    const auto end = script.find('\n');
    auto line = script.substr(0, end);
    script = end == std::string_view::npos ? std::string_view() : script.substr(end + 1);
    const auto word = [&line] {
      const auto space = line.find(' ');
      const auto taken = line.substr(0, space);
      line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
      return taken;
    };
    const auto verb = word();
    if (verb == "TICK") {
      tested.pass(60);
      continue;
    }
    const auto method = verb == "POST"     ? http::Method::post
                        : verb == "PUT"    ? http::Method::put
                        : verb == "DELETE" ? http::Method::del
                        : verb == "PATCH"  ? http::Method::patch
                                           : http::Method::get;
    const std::string target(word());
    const auto* type = !line.empty() && line.front() == '<' ? "application/xml" : "application/json";
    const auto answer = tested.ask(method, target, line, {{"Content-Type", type}, {"Accept", type}});
    fuzz::check(answer.head.status >= 200 && answer.head.status < 600, "an answer has a status");
  }
  check_lists(tested);
  return 0;
}
