#include "adapter/otlp/payload.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "adapter/otlp/exporter.h"

namespace gyre::otlp {
namespace {

observe::Span example() {
  observe::Span span;
  span.context = *parse_trace_parent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  span.name = "wait";
  span.begin = Time{1'700'000'000'000'000'001};
  span.end = Time{1'700'000'000'000'000'002};
  span.attributes = {{"a", std::string("say \xff\"x\"")}, {"n", std::int64_t{-7}}, {"f", true}};
  return span;
}

TEST(Payload, IsOtlpInJson) {
  const std::vector<observe::Span> spans = {example()};
  const auto request = nlohmann::json::parse(trace_request(spans, "here", "1.2"));
  const auto& span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(span["spanId"], "b7ad6b7169203331");
  EXPECT_FALSE(span.contains("parentSpanId"));
  EXPECT_EQ(span["startTimeUnixNano"], "1700000000000000001") << "no double holds it";
  EXPECT_EQ(span["kind"], 1);
  EXPECT_EQ(span["attributes"][1]["value"]["intValue"], "-7");
  EXPECT_EQ(span["attributes"][2]["value"]["boolValue"], true);
  EXPECT_FALSE(span.contains("status"));
}

TEST(Payload, AFailureHasAStatus) {
  auto span = example();
  span.failed = true;
  span.message = "out of memory";
  span.parent = 0xabc;
  span.kind = observe::Span::Kind::Server;
  const std::vector<observe::Span> spans = {span};
  const auto request = nlohmann::json::parse(trace_request(spans, "here", "1.2"));
  const auto& told = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(told["status"]["code"], 2);
  EXPECT_EQ(told["status"]["message"], "out of memory");
  EXPECT_EQ(told["parentSpanId"], "0000000000000abc");
  EXPECT_EQ(told["kind"], 2);
}

TEST(Exporter, WantsAnAddress) {
  EXPECT_TRUE(Exporter::check("http://127.0.0.1:4318"));
  EXPECT_TRUE(Exporter::check("https://collector.example/otlp"));
  EXPECT_FALSE(Exporter::check("127.0.0.1:4318"));
  EXPECT_FALSE(Exporter::check("file:///etc/passwd"));
  EXPECT_FALSE(Exporter::check("http://"));
}

TEST(Exporter, DropsWhatItHasNoRoomForAndCountsIt) {
  Exporter exporter({.endpoint = "http://127.0.0.1:9",
                     .service_instance = "here",
                     .version = "1",
                     .waiting_max = 3,
                     .gather = seconds(60)});
  exporter.take({example(), example()});
  exporter.take({example(), example()});
  EXPECT_EQ(exporter.counts().waiting, 3U);
  EXPECT_EQ(exporter.counts().dropped, 1U);
  EXPECT_EQ(exporter.counts().sent, 0U);
}

}  // namespace
}  // namespace gyre::otlp
