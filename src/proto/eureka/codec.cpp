#include "proto/eureka/codec.hpp"

#include "proto/eureka/readers.hpp"

namespace doorbuster::eureka {
namespace {

bool contains_json(std::string_view text) {
  for (std::size_t i = 0; i + 4 <= text.size(); ++i) {
    if ((text[i] | 0x20) == 'j' && (text[i + 1] | 0x20) == 's' && (text[i + 2] | 0x20) == 'o' &&
        (text[i + 3] | 0x20) == 'n') {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<leases::InstanceInfo> read_instance(Format format, std::string_view text) {
  return format == Format::json ? read_instance_json(text) : read_instance_xml(text);
}

Result<leases::Applications> read_applications(Format format, std::string_view text) {
  return format == Format::json ? read_applications_json(text) : read_applications_xml(text);
}

Result<leases::Application> read_application(Format format, std::string_view text) {
  return format == Format::json ? read_application_json(text) : read_application_xml(text);
}

Format format_of_content(std::string_view content_type) {
  return contains_json(content_type) ? Format::json : Format::xml;
}

Format format_of_accept(std::string_view accept) {
  return contains_json(accept) ? Format::json : Format::xml;
}

}  // namespace doorbuster::eureka
