#include "proto/eureka/text.hpp"

#include <gtest/gtest.h>

namespace doorbuster::eureka {
namespace {

std::string xml_name(std::string_view name) {
  std::string out;
  append_xml_name(out, name);
  return out;
}

std::string xml_text(std::string_view text) {
  std::string out;
  append_xml_text(out, text);
  return out;
}

TEST(EurekaText, WritesNamesAsXStreamDoes) {
  EXPECT_EQ(xml_name("zone"), "zone");
  EXPECT_EQ(xml_name("my_key$"), "my__key_-");
  EXPECT_EQ(xml_name("a b"), "a_.0020b");
  EXPECT_EQ(xml_name("1a.b-c"), "_.0031a.b-c");
  for (const auto* name :
       {"a_b__c_", "_", "$_$", "a b", "9", "management.port", "\xf0\x9f\x8e\x89", "_.0020"}) {
    EXPECT_EQ(name_from_xml(xml_name(name)), name) << xml_name(name);
  }
}

TEST(EurekaText, TakesNamesThatNobodyEscaped) {
  EXPECT_EQ(name_from_xml("my_key"), "my_key");
  EXPECT_EQ(name_from_xml("a_"), "a_");
  EXPECT_EQ(name_from_xml("a_.zz"), "a_.zz");
}

TEST(EurekaText, WritesTextThatXmlCanHold) {
  EXPECT_EQ(xml_text("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
  EXPECT_EQ(xml_text(std::string_view("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(xml_text("\xef\xbf\xbf"), "\xef\xbf\xbd");
  EXPECT_EQ(xml_text("a\r\nb"), "a&#13;\nb");
}

TEST(EurekaText, KnowsUtf8) {
  for (const auto* good : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\x89", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const auto* bad : {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "a\x80", "\xf0\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace doorbuster::eureka
