// Registrations and lists in XML.

#include "tests/fuzz/eureka_roundtrip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace doorbuster;
  const auto text = fuzz::view(data, size);
  const auto read = eureka::read_instance(eureka::Format::xml, text);
  if (read) {
    fuzz::check_roundtrip(*read);
  } else {
    fuzz::check(!read.error().detail.empty(), "an error says what is wrong");
  }
  fuzz::check_list(eureka::Format::xml, text);
  (void)eureka::read_application(eureka::Format::xml, text);
  return 0;
}
