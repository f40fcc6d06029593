// Registrations and lists in JSON.

#include "tests/fuzz/eureka_roundtrip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace doorbuster;
  const auto text = fuzz::view(data, size);
  const auto read = eureka::read_instance(eureka::Format::json, text);
  if (read) {
    fuzz::check_roundtrip(*read);
  } else {
    fuzz::check(!read.error().detail.empty(), "an error says what is wrong");
  }
  fuzz::check_list(eureka::Format::json, text);
  (void)eureka::read_application(eureka::Format::json, text);
  return 0;
}
