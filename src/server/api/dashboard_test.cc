#include "server/api/dashboard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "server/embedded.h"

namespace gyre::server {
namespace {

std::string header(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

http::Request asking(std::string name, std::string value) {
  http::Request request;
  request.headers = {{std::move(name), std::move(value)}};
  return request;
}

TEST(DashboardTest, ThePageIsCheckedAnewAndItsFilesAreKeptForEver) {
  const auto page = serve_dashboard("index.html", {});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(header(page, "Cache-Control"), "no-cache");
  EXPECT_EQ(header(page, "Content-Security-Policy").find("unsafe"), std::string::npos);
  for (const EmbeddedFile& file : dashboard_files()) {
    if (!file.path.starts_with("assets/")) continue;
    EXPECT_NE(header(serve_dashboard(file.path, {}), "Cache-Control").find("immutable"),
              std::string::npos);
  }
}

TEST(DashboardTest, ThePageNamesFilesThatExist) {
  const std::string page = unpacked(dashboard_files().back());
  ASSERT_EQ(dashboard_files().back().path, "index.html");
  std::size_t named = 0;
  for (std::size_t at = page.find("/assets/"); at != page.npos;
       at = page.find("/assets/", at + 1)) {
    const std::string path = page.substr(at + 1, page.find('"', at) - at - 1);
    EXPECT_EQ(serve_dashboard(path, {}).status, 200) << path;
    ++named;
  }
  EXPECT_GE(named, 2U);  // a script and a style
}

TEST(DashboardTest, CompressesForWhoTakesIt) {
  const auto packed = serve_dashboard("index.html", asking("accept-encoding", "br, gzip"));
  EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(packed.body.substr(0, 2), "\x1f\x8b");
  const auto plain = serve_dashboard("index.html", asking("accept-encoding", "gzip;q=0"));
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_TRUE(plain.body.starts_with("<!doctype html>"));
  EXPECT_NE(header(packed, "ETag"), header(plain, "ETag"));
}

TEST(DashboardTest, SendsNothingTwice) {
  const std::string etag = header(serve_dashboard("index.html", {}), "ETag");
  const auto again = serve_dashboard("index.html", asking("if-none-match", "\"x\", W/" + etag));
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.body.empty());
  EXPECT_EQ(header(again, "ETag"), etag);
  EXPECT_EQ(serve_dashboard("index.html", asking("if-none-match", "\"x\"")).status, 200);
}

TEST(DashboardTest, WhatIsNoFileIs404) {
  for (const char* path : {"assets/", "assets/../index.html", "x", ""}) {
    EXPECT_EQ(serve_dashboard(path, {}).status, 404) << path;
  }
}

TEST(DashboardTest, ReadsAcceptEncoding) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate , gzip ; q=0.5"));
  EXPECT_TRUE(accepts_gzip("*"));
  for (const char* header : {"", "br", "gzip;q=0", "gzip;q=0.000", "identity;q=1, *;q=0"}) {
    EXPECT_FALSE(accepts_gzip(header)) << header;
  }
}

}  // namespace
}  // namespace gyre::server
