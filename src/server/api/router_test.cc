#include "server/api/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gyre::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The body of what it answers to a GET of `path`.
std::string answer(const Router& router, const std::string& path) {
  std::string body;
  http::Request request;
  request.method = "GET";
  request.path = path;
  router.handle(std::move(request), [&body](auto make) { body = make().body; });
  return body;
}

void add(Router& router, const std::string& method, const std::string& path) {
  router.add(method, path, {}, [](const Call&) {});
}

TEST(RouterTest, WhatIsNotThereIsAnsweredWithThePathsThatAre) {
  Router router;
  add(router, "GET", "/metrics");
  EXPECT_THAT(answer(router, "/a"),
              HasSubstr("'/a' is no path of this server; there is /metrics\""));
  add(router, "GET", "/v1/jobs/{id}");
  add(router, "DELETE", "/v1/jobs/{id}");
  add(router, "GET", "/healthz");
  EXPECT_THAT(answer(router, "/a"), HasSubstr("there is /metrics, /v1/jobs/{id}, /healthz\""));
}

TEST(RouterTest, ParametersThatARouteDoesNotKnowAreRefusedButWhereAnyAreTaken) {
  Router router;
  const auto ok = [](const Call& call) { call.answer({}); };
  router.add("GET", "/", kAnyParameters, ok);
  router.add("GET", "/v1/jobs", {"state"}, ok);
  const auto status = [&](const std::string& path) {
    int answered = 0;
    http::Request request;
    request.method = "GET";
    request.path = path;
    request.query = {{"x", "0"}};
    router.handle(std::move(request), [&](auto make) { answered = make().status; });
    return answered;
  };
  EXPECT_EQ(status("/"), 200);
  EXPECT_EQ(status("/v1/jobs"), 400);
}

TEST(RouterTest, WhereAPathListsThemAllThatOneIsNamedAlone) {
  Router router;
  add(router, "GET", "/healthz");
  add(router, "GET", "/openapi.json");
  add(router, "GET", "/v1/jobs");
  EXPECT_THAT(answer(router, "/a"), HasSubstr("server; /openapi.json lists them all\""));
  EXPECT_THAT(answer(router, "/a"), Not(HasSubstr("/healthz")));
}

}  // namespace
}  // namespace gyre::server
