#include "proto/eureka/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster::eureka {
namespace {

using leases::InstanceInfo;
using leases::InstanceStatus;
using testing::HasSubstr;

InstanceInfo sample() {
  InstanceInfo instance;
  instance.instance_id = "host:api:8081";
  instance.host_name = "host";
  instance.app = "API";
  instance.ip_address = "10.0.0.1";
  instance.status = InstanceStatus::up;
  instance.port = {8081, true};
  instance.secure_port = {443, false};
  instance.metadata = {{"zone", "a"}, {"my_key", "<&\">"}};
  instance.home_page_url = "http://host:8081/";
  instance.vip_address = "api";
  instance.lease.registered_ms = 1'700'000'000'001;
  instance.last_updated_ms = 1'700'000'000'002;
  instance.last_dirty_ms = 1'700'000'000'003;
  instance.action = leases::Action::added;
  return instance;
}

TEST(EurekaCodec, WritesTheJsonThatSpringReads) {
  // An unknown, missing or renamed field ends Spring's client: the text is compared as a whole.
  EXPECT_EQ(
      write_instance(Format::json, sample()),
      R"({"instance":{"instanceId":"host:api:8081","hostName":"host","app":"API","ipAddr":"10.0.0.1",)"
      R"("status":"UP","overriddenStatus":"UNKNOWN","port":{"$":8081,"@enabled":"true"},)"
      R"("securePort":{"$":443,"@enabled":"false"},"countryId":1,)"
      R"("dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},)"
      R"("leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,"registrationTimestamp":1700000000001,)"
      R"("lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},)"
      R"("metadata":{"zone":"a","my_key":"<&\">"},"homePageUrl":"http://host:8081/","vipAddress":"api",)"
      R"("isCoordinatingDiscoveryServer":"false","lastUpdatedTimestamp":"1700000000002",)"
      R"("lastDirtyTimestamp":"1700000000003","actionType":"ADDED"}})");
}

TEST(EurekaCodec, WritesTheXmlThatPythonReads) {
  EXPECT_EQ(
      write_instance(Format::xml, sample()),
      "<instance><instanceId>host:api:8081</instanceId><hostName>host</hostName><app>API</app>"
      "<ipAddr>10.0.0.1</ipAddr><status>UP</status><overriddenstatus>UNKNOWN</overriddenstatus>"
      "<port enabled=\"true\">8081</port><securePort "
      "enabled=\"false\">443</securePort><countryId>1</countryId>"
      "<dataCenterInfo class=\"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo\"><name>MyOwn</name>"
      "</dataCenterInfo><leaseInfo><renewalIntervalInSecs>30</renewalIntervalInSecs>"
      "<durationInSecs>90</durationInSecs><registrationTimestamp>1700000000001</registrationTimestamp>"
      "<lastRenewalTimestamp>0</lastRenewalTimestamp><evictionTimestamp>0</evictionTimestamp>"
      "<serviceUpTimestamp>0</serviceUpTimestamp></leaseInfo>"
      "<metadata><zone>a</zone><my__key>&lt;&amp;&quot;&gt;</my__key></metadata>"
      "<homePageUrl>http://host:8081/</homePageUrl><vipAddress>api</vipAddress>"
      "<isCoordinatingDiscoveryServer>false</isCoordinatingDiscoveryServer>"
      "<lastUpdatedTimestamp>1700000000002</lastUpdatedTimestamp>"
      "<lastDirtyTimestamp>1700000000003</lastDirtyTimestamp><actionType>ADDED</actionType></instance>");
}

TEST(EurekaCodec, WritesEmptyListsAndEmptyMaps) {
  leases::Applications none;
  none.version = 7;
  EXPECT_EQ(write_applications(Format::json, none),
            R"({"applications":{"versions__delta":"7","apps__hashcode":"","application":[]}})");
  EXPECT_EQ(write_applications(Format::xml, none),
            "<applications><versions__delta>7</versions__delta><apps__hashcode></apps__hashcode>"
            "</applications>");
  auto instance = sample();
  instance.metadata.clear();
  EXPECT_THAT(write_instance(Format::json, instance),
              HasSubstr(R"("metadata":{"@class":"java.util.Collections$EmptyMap"})"));
  EXPECT_THAT(write_instance(Format::xml, instance),
              HasSubstr(R"(<metadata class="java.util.Collections$EmptyMap"/>)"));
}

class BothFormats : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Eureka, BothFormats, testing::Values(Format::json, Format::xml),
                         [](const auto& format) { return format.param == Format::json ? "json" : "xml"; });

TEST_P(BothFormats, WhatIsWrittenReadsBackTheSame) {
  auto full = sample();
  full.sid = "sid-1";
  full.overridden_status = InstanceStatus::out_of_service;
  full.country_id = 49;
  full.data_center = "Amazon";
  full.data_center_metadata = {{"instance-id", "i-1"}, {"ami-id", "ami-2"}};
  full.lease = {5, 15, 1, 2, 3, 4};
  full.metadata = {{"_$ a/1", "x\ty"}, {"1", ""}, {"\xc3\xa9\xf0\x9f\x8e\x89", "\xc3\xa9"}};
  full.app_group = "GROUP";
  full.status_page_url = "http://host/status?a=1&b=2";
  full.health_check_url = "http://host/health";
  full.secure_health_check_url = "https://host/health";
  full.secure_vip_address = "api-secure";
  full.asg_name = "asg";
  full.is_coordinating_discovery_server = true;
  const auto read = read_instance(GetParam(), write_instance(GetParam(), full));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, full) << write_instance(GetParam(), *read);

  leases::Applications all;
  all.version = 12;
  all.hash_code = "UP_3_";
  all.applications = {{"API", {sample(), full}}, {"B", {full}}, {"EMPTY", {}}};
  const auto all_read = read_applications(GetParam(), write_applications(GetParam(), all));
  ASSERT_TRUE(all_read) << all_read.error().detail;
  EXPECT_EQ(*all_read, all);
  all.hash_code = R"(UP_"3\<&>_)";  // another server's word, and no reason to write what nobody can read
  const auto quoted = read_applications(GetParam(), write_applications(GetParam(), all));
  ASSERT_TRUE(quoted) << quoted.error().detail;
  EXPECT_EQ(*quoted, all);
  const auto one_read = read_application(GetParam(), write_application(GetParam(), all.applications[0]));
  ASSERT_TRUE(one_read) << one_read.error().detail;
  EXPECT_EQ(*one_read, all.applications[0]);
}

TEST(EurekaCodec, ReadsWhatSpringsRestClientSends) {
  const auto read =
      read_instance(Format::json, R"({"instance":{"instanceId":"java:9","hostName":"h","app":"SHOP",
    "ipAddr":"10.0.0.1","sid":"na","homePageUrl":"http://h/","statusPageUrl":null,"healthCheckUrl":null,
    "secureHealthCheckUrl":null,"vipAddress":"shop","secureVipAddress":"shop","countryId":1,
    "dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},
    "status":"STARTING","overriddenStatus":"UNKNOWN","leaseInfo":{"renewalIntervalInSecs":2,"durationInSecs":6,
    "registrationTimestamp":0,"lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},
    "isCoordinatingDiscoveryServer":false,"lastUpdatedTimestamp":1700000000000,
    "lastDirtyTimestamp":1700000000001,"actionType":null,"asgName":null,
    "port":{"$":9,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},
    "metadata":{"@class":"java.util.Collections$EmptyMap"}}})");
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->status, InstanceStatus::starting);
  EXPECT_EQ(read->lease.renewal_interval_s, 2);
  EXPECT_EQ(read->last_dirty_ms, 1'700'000'000'001);
  EXPECT_EQ(read->port, (leases::Port{9, true}));
  EXPECT_EQ(read->secure_port, (leases::Port{443, false}));
  EXPECT_TRUE(read->metadata.empty());
  EXPECT_EQ(read->action, std::nullopt);
  EXPECT_EQ(read->status_page_url, "");
}

TEST(EurekaCodec, ReadsWhatNodePythonAndGoSend) {
  const auto node =
      read_instance(Format::json, R"({"instance":{"app":"shop","hostName":"h","ipAddr":"1.2.3.4",
    "port":{"$":"8080","@enabled":true},"vipAddress":"shop","dataCenterInfo":{"name":"MyOwn"},"status":"UP"}})");
  ASSERT_TRUE(node) << node.error().detail;
  EXPECT_EQ(node->app, "SHOP");
  EXPECT_EQ(node->instance_id, "h");
  EXPECT_EQ(node->port, (leases::Port{8080, true}));
  EXPECT_EQ(node->lease, leases::LeaseInfo{});

  const auto python = read_instance(Format::json, R"({"instance":{"instanceId":"p","hostName":"h","app":"P",
    "ipAddr":"h","overriddenstatus":"","port":{"$":1,"@enabled":"false"},"countryId":"7",
    "leaseInfo":{"renewalIntervalInSecs":0,"durationInSecs":-1},"lastDirtyTimestamp":"12","homePageUrl":""}})");
  ASSERT_TRUE(python) << python.error().detail;
  EXPECT_EQ(python->overridden_status, InstanceStatus::unknown);
  EXPECT_FALSE(python->port.enabled);
  EXPECT_EQ(python->country_id, 7);
  EXPECT_EQ(python->lease.duration_s, 90);
  EXPECT_EQ(python->last_dirty_ms, 12);

  const auto go = read_instance(Format::xml, R"(<?xml version="1.0" encoding="UTF-8"?>
    <instance><hostName>h</hostName><app>go</app><ipAddr>1.1.1.1</ipAddr><vipAddress>go</vipAddress>
    <status>UP</status><port enabled="true">80</port><securePort enabled="false">0</securePort>
    <dataCenterInfo><name>Amazon</name><metadata><instance-id>i-9</instance-id></metadata></dataCenterInfo>
    <leaseInfo><durationInSecs>30</durationInSecs></leaseInfo><metadata><a>1</a></metadata></instance>)");
  ASSERT_TRUE(go) << go.error().detail;
  EXPECT_EQ(go->instance_id, "i-9");
  EXPECT_EQ(go->app, "GO");
  EXPECT_EQ(go->lease.duration_s, 30);
  EXPECT_EQ(go->metadata, (leases::NamedValues{{"a", "1"}}));
}

TEST(EurekaCodec, IsLenientWhereOldServersBroke) {
  const auto read =
      read_instance(Format::json, R"({"hostName":"h","port":8080,"securePort":"8443","status":"odd",
    "dataCenterInfo":{"metadata":{"x":1},"name":"Elsewhere"},"metadata":{"n":1,"b":true,"o":{"a":[1]},"z":null},
    "unknown":{"deep":[1,2]},"lastDirtyTimestamp":1.7e12})");
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->port.number, 8080);
  EXPECT_EQ(read->secure_port.number, 8443);
  EXPECT_EQ(read->status, InstanceStatus::unknown);
  EXPECT_EQ(read->data_center, "MyOwn");
  EXPECT_EQ(read->metadata, (leases::NamedValues{{"n", "1"}, {"b", "true"}, {"o", R"({"a":[1]})"}}));
  EXPECT_EQ(read->last_dirty_ms, 1'700'000'000'000);
}

TEST(EurekaCodec, ReadsListsOfOneAsOlderServersWriteThem) {
  const auto read =
      read_applications(Format::json, R"({"applications":{"versions__delta":1,"apps__hashcode":"UP_1_",
    "application":{"name":"a","instance":{"hostName":"h","app":"a","status":"UP","actionType":"DELETED"}}}})");
  ASSERT_TRUE(read) << read.error().detail;
  ASSERT_EQ(read->applications.size(), 1U);
  ASSERT_EQ(read->applications[0].instances.size(), 1U);
  EXPECT_EQ(read->applications[0].instances[0].action, leases::Action::deleted);
  EXPECT_EQ(read->version, 1);
}

TEST(EurekaCodec, SaysWhatIsWrong) {
  const auto detail = [](Format format, std::string_view text) {
    const auto read = read_instance(format, text);
    return read ? "" : read.error().field + ": " + read.error().detail;
  };
  EXPECT_EQ(detail(Format::json, R"({"instance":{"port":{"$":"x"}}})"), "port: 'x' is no port for port");
  EXPECT_EQ(detail(Format::json, R"({"instance":{"securePort":70000}})"),
            "securePort: '70000' is no port for securePort");
  EXPECT_EQ(detail(Format::json, R"({"instance":{"port":[1]}})"),
            R"(port: port is a number or {"$", "@enabled"})");
  EXPECT_EQ(detail(Format::json, R"({"instance":{"leaseInfo":{"durationInSecs":"soon"}}})"),
            "durationInSecs: 'soon' is no number for durationInSecs");
  EXPECT_EQ(detail(Format::json, R"([])"), "instance: instance is an object");
  EXPECT_THAT(detail(Format::json, R"({"instance":)"), HasSubstr("no JSON at byte 12"));
  EXPECT_THAT(detail(Format::json, ""), HasSubstr("no JSON at byte 0"));
  EXPECT_THAT(detail(Format::json, "{} {}"), HasSubstr("no JSON at byte"));
  EXPECT_EQ(detail(Format::xml, "<instance><port>x</port></instance>"), "port: 'x' is no port for port");
  EXPECT_EQ(detail(Format::xml, "<other/>"), "instance: the root is <other>, not <instance>");
  EXPECT_THAT(detail(Format::xml, "<instance>"), HasSubstr("no XML at byte 10"));
  EXPECT_THAT(detail(Format::json, "{\"instance\":{\"app\":\"\xff\"}}"), HasSubstr("no JSON at byte"));
}

TEST(EurekaCodec, AnswersXmlUnlessJsonIsAskedFor) {
  EXPECT_EQ(format_of_accept(""), Format::xml);
  EXPECT_EQ(format_of_accept("*/*"), Format::xml);
  EXPECT_EQ(format_of_accept("application/json, application/*+json"), Format::json);
  EXPECT_EQ(format_of_accept("APPLICATION/JSON"), Format::json);
  EXPECT_EQ(format_of_content("application/json;charset=UTF-8"), Format::json);
  EXPECT_EQ(format_of_content("application/xml"), Format::xml);
  EXPECT_EQ(format_of_content(""), Format::xml);
}

}  // namespace
}  // namespace doorbuster::eureka
