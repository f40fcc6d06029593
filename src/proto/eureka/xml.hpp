#pragma once
// As much of XML as Eureka's clients write: elements, attributes, text, CDATA, comments, a prologue, the five
// named entities and numeric ones. No document type, so no entity can be defined and nothing is ever fetched
// or multiplied. Private to src/proto/eureka.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace doorbuster::eureka {

struct XmlElement {
  std::string name;  ///< without a prefix, escapes of XStream undone
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string text;  ///< all that stands directly in it
  std::vector<XmlElement> children;

  const std::string* attribute(std::string_view wanted) const;
};

inline constexpr std::size_t kMostXmlDepth = 16;

/// The root element. \returns malformed, with the place
Result<XmlElement> parse_xml(std::string_view text);

}  // namespace doorbuster::eureka
