#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/utf8.h"
#include "server/api/json_text.h"
#include "server/embedded.h"

namespace gyre::server {
namespace {

TEST(JsonTextTest, WritesWhatAParserReadsBack) {
  JsonText out;
  out.open('{').member("text", "a\"\\\n\x01\u00e9").member("number", -5);
  out.key("none").null().key("list").open('[').value(true).value("x").close(']');
  out.key("empty").open('{').close('}').key("milli").thousandths(1500);
  out.member("share", 0.25).member("whole", 3.0).member("unknown", std::nan("")).close('}');
  const auto read = nlohmann::json::parse(out.take());
  EXPECT_EQ(read["text"], "a\"\\\n\x01\u00e9");
  EXPECT_EQ(read["number"], -5);
  EXPECT_TRUE(read["none"].is_null());
  EXPECT_EQ(read["list"], nlohmann::json::parse(R"([true,"x"])"));
  EXPECT_TRUE(read["empty"].empty());
  EXPECT_EQ(read["milli"], 1.5);
  EXPECT_EQ(read["share"], 0.25);
  EXPECT_EQ(read["whole"], 3.0);
  EXPECT_TRUE(read["unknown"].is_null());
}

TEST(JsonTextTest, Thousandths) {
  const auto text = [](std::int64_t number) { return JsonText().thousandths(number).take(); };
  EXPECT_EQ(text(0), "0");
  EXPECT_EQ(text(8000), "8");
  EXPECT_EQ(text(500), "0.5");
  EXPECT_EQ(text(1250), "1.25");
  EXPECT_EQ(text(1001), "1.001");
}

TEST(JsonTextTest, EveryByteStringBecomesValidJson) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes = {static_cast<char>(a), static_cast<char>(b), 'x'};
      const auto read = nlohmann::json::parse(JsonText().value(bytes).take(), nullptr, false);
      ASSERT_TRUE(read.is_string()) << a << " " << b;
      EXPECT_TRUE(read.get<std::string>().ends_with('x'));
    }
  }
}

TEST(Utf8Test, FindsTheValidPrefix) {
  EXPECT_EQ(valid_utf8_prefix("abc"), 3U);
  EXPECT_EQ(valid_utf8_prefix("a\xc3\xa9"), 3U);
  EXPECT_EQ(valid_utf8_prefix("a\xc3"), 1U);
  EXPECT_EQ(valid_utf8_prefix("\xf0\x9f\x98\x80"), 4U);
  EXPECT_EQ(valid_utf8_prefix("\xed\xa0\x80"), 0U);      // a surrogate
  EXPECT_EQ(valid_utf8_prefix("\xc0\x80"), 0U);          // overlong
  EXPECT_EQ(valid_utf8_prefix("\xf4\x90\x80\x80"), 0U);  // beyond Unicode
}

TEST(Base64Test, RoundTrip) {
  for (const std::string& bytes : {std::string(), std::string("a"), std::string("ab"),
                                   std::string("abc"), std::string("\xff\x00\x80", 3)}) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  }
  EXPECT_EQ(encode_base64("Man"), "TWFu");
  EXPECT_EQ(encode_base64("M"), "TQ==");
  EXPECT_EQ(decode_base64("T!"), std::nullopt);
}

TEST(EmbeddedTest, TheDescriptionIsOpenApi) {
  const auto document = nlohmann::json::parse(openapi_json());
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_EQ(document["info"]["version"], GYRE_VERSION);
  EXPECT_TRUE(document["paths"].contains("/v1/jobs"));
  const auto& responses = document["paths"]["/v1/jobs"]["get"]["responses"];
  EXPECT_TRUE(responses.contains("200"));
}

}  // namespace
}  // namespace gyre::server
