#include "proto/eureka/xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proto/eureka/text.hpp"

namespace doorbuster::eureka {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(char c) {
  return kBlanks.find(c) != std::string_view::npos;
}

bool is_code_point(std::uint32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return code < 0xd800 || (code >= 0xe000 && code < 0xfffe) || (code >= 0x10000 && code <= 0x10ffff);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<XmlElement> parse() {
    if (!is_utf8(text_)) return fail("no UTF-8");
    // No control characters (XML 1.0, production 2): they could not be written again.
    const auto allowed = [](char c) {
      return static_cast<unsigned char>(c) >= ' ' || c == '\t' || c == '\n' || c == '\r';
    };
    if (!std::ranges::all_of(text_, allowed)) return fail("a control character");
    if (starts_with("\xef\xbb\xbf")) at_ += 3;
    XmlElement root;
    if (!skip_misc() || !read_element(root, 1) || !skip_misc()) return *error_;
    if (at_ != text_.size()) return fail("something follows the root element");
    return root;
  }

 private:
  bool starts_with(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  bool at_end() const { return at_ >= text_.size(); }
  Error fail(std::string_view why) {
    error_ = make_error(ErrorCode::malformed, fmt::format("no XML at byte {}: {}", at_, why));
    return *error_;
  }
  bool failed(std::string_view why) {
    fail(why);
    return false;
  }
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }
  /// Goes behind the next `end`.
  bool skip_behind(std::string_view end) {
    const auto found = text_.find(end, at_);
    if (found == std::string_view::npos) return failed("something is not ended");
    at_ = found + end.size();
    return true;
  }

  /// What may stand around the root: blanks, comments, processing instructions.
  bool skip_misc() {
    for (;;) {
      skip_blanks();
      if (starts_with("<?")) {
        if (!skip_behind("?>")) return false;
      } else if (starts_with("<!--")) {
        if (!skip_behind("-->")) return false;
      } else if (starts_with("<!")) {
        return failed("a document type is not accepted");
      } else {
        return true;
      }
    }
  }

  bool read_name(std::string& name) {
    const auto begin = at_;
    while (!at_end() && !is_blank(text_[at_]) &&
           std::string_view("<>/='\"&").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    if (at_ == begin) return failed("a name is missing");
    auto raw = text_.substr(begin, at_ - begin);
    if (const auto colon = raw.rfind(':'); colon != std::string_view::npos) raw.remove_prefix(colon + 1);
    name = raw;
    return true;
  }

  bool read_entity(std::string& out) {
    const auto end = text_.find(';', at_);
    if (end == std::string_view::npos || end - at_ > 12) return failed("an '&' without an entity");
    const auto name = text_.substr(at_ + 1, end - at_ - 1);
    if (name == "lt") {
      out += '<';
    } else if (name == "gt") {
      out += '>';
    } else if (name == "amp") {
      out += '&';
    } else if (name == "quot") {
      out += '"';
    } else if (name == "apos") {
      out += '\'';
    } else if (name.size() > 1 && name[0] == '#') {
      const bool hexadecimal = name[1] == 'x';
      const auto digits = name.substr(hexadecimal ? 2 : 1);
      std::uint32_t code = 0;
      const auto last = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data(), last, code, hexadecimal ? 16 : 10);
      if (error != std::errc() || stop != last || !is_code_point(code)) return failed("no character");
      append_utf8(out, code);
    } else {
      return failed("an unknown entity");
    }
    at_ = end + 1;
    return true;
  }

  bool read_attribute(XmlElement& element) {
    std::string name;
    if (!read_name(name)) return false;
    skip_blanks();
    if (at_end() || text_[at_] != '=') return failed("an attribute without a value");
    ++at_;
    skip_blanks();
    if (at_end() || (text_[at_] != '"' && text_[at_] != '\'')) return failed("a value without quotes");
    const char quote = text_[at_++];
    std::string value;
    while (!at_end() && text_[at_] != quote) {
      if (text_[at_] == '&') {
        if (!read_entity(value)) return false;
      } else if (text_[at_] == '<') {
        return failed("'<' in an attribute");
      } else {
        value += text_[at_++];
      }
    }
    if (at_end()) return failed("an attribute is not ended");
    ++at_;
    element.attributes.emplace_back(std::move(name), std::move(value));
    return true;
  }

  /// From `<` to the end of its closing tag.
  bool read_element(XmlElement& element, std::size_t depth) {
    if (depth > kMostXmlDepth) return failed("elements are nested too deeply");
    if (at_end() || text_[at_] != '<') return failed("an element is wanted");
    ++at_;
    if (!read_name(element.name)) return false;
    const auto raw_name = element.name;
    element.name = name_from_xml(raw_name);
    for (;;) {
      skip_blanks();
      if (starts_with("/>")) {
        at_ += 2;
        return true;
      }
      if (at_end()) return failed("a tag is not ended");
      if (text_[at_] == '>') break;
      if (!read_attribute(element)) return false;
    }
    ++at_;
    return read_content(element, raw_name, depth);
  }

  bool read_content(XmlElement& element, std::string_view raw_name, std::size_t depth) {
    while (!at_end()) {
      if (starts_with("</")) {
        at_ += 2;
        std::string closing;
        if (!read_name(closing)) return false;
        if (closing != raw_name) return failed("another element is closed than was opened");
        skip_blanks();
        if (at_end() || text_[at_] != '>') return failed("a tag is not ended");
        ++at_;
        return true;
      }
      if (starts_with("<![CDATA[")) {
        const auto begin = at_ + 9;
        if (!skip_behind("]]>")) return false;
        element.text += text_.substr(begin, at_ - 3 - begin);
      } else if (starts_with("<!--")) {
        if (!skip_behind("-->")) return false;
      } else if (starts_with("<?")) {
        if (!skip_behind("?>")) return false;
      } else if (text_[at_] == '<') {
        element.children.emplace_back();
        if (!read_element(element.children.back(), depth + 1)) return false;
      } else if (text_[at_] == '&') {
        if (!read_entity(element.text)) return false;
      } else {
        const auto end = std::min(text_.find_first_of("<&", at_), text_.size());
        element.text += text_.substr(at_, end - at_);
        at_ = end;
      }
    }
    return failed("an element is not closed");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

}  // namespace

const std::string* XmlElement::attribute(std::string_view wanted) const {
  for (const auto& [key, value] : attributes) {
    if (key == wanted) return &value;
  }
  return nullptr;
}

Result<XmlElement> parse_xml(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace doorbuster::eureka
