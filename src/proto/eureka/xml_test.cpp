#include "proto/eureka/xml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster::eureka {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto parsed = parse_xml(text);
  return parsed ? "" : parsed.error().detail;
}

TEST(EurekaXml, ReadsElementsAttributesAndText) {
  const auto root = parse_xml(
      "\xef\xbb\xbf<?xml version='1.0'?><!-- c --><n:a x='1' y = \"&lt;&#65;&#x42;\"> t<!-- c -->u<b/>"
      "<![CDATA[<raw> & ]]><b z=''>v</b>&amp;<?pi?></n:a >\n<!-- end -->");
  ASSERT_TRUE(root) << root.error().detail;
  EXPECT_EQ(root->name, "a");
  EXPECT_EQ(*root->attribute("x"), "1");
  EXPECT_EQ(*root->attribute("y"), "<AB");
  EXPECT_EQ(root->attribute("z"), nullptr);
  EXPECT_EQ(root->text, " tu<raw> & &");
  ASSERT_EQ(root->children.size(), 2U);
  EXPECT_EQ(root->children[1].text, "v");
}

TEST(EurekaXml, RefusesWhatIsNotWellFormed) {
  for (const auto* text : {"",
                           "a",
                           "<",
                           "<a",
                           "<a>",
                           "<a></b>",
                           "<a/><b/>",
                           "<a x></a>",
                           "<a x=1/>",
                           "<a x='1/>",
                           "<a>&b;</a>",
                           "<a>&</a>",
                           "<a>&#0;</a>",
                           "<a>&#xd800;</a>",
                           "<a>&#99999999;</a>",
                           "<a><![CDATA[</a>",
                           "<a><!--</a>",
                           "</a>",
                           "<a/>x",
                           "<a>\xff</a>",
                           "<a x='<'/>",
                           "<a>&#;</a>",
                           "<a>&#x;</a>"}) {
    EXPECT_THAT(error_of(text), HasSubstr("no XML at byte")) << text;
  }
}

TEST(EurekaXml, NeverExpandsEntitiesOfADocument) {
  EXPECT_THAT(error_of("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
              HasSubstr("document type"));
  EXPECT_THAT(error_of("<a><!DOCTYPE b></a>"), HasSubstr("no XML"));
}

TEST(EurekaXml, BoundsTheDepth) {
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "<a>";
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace doorbuster::eureka
