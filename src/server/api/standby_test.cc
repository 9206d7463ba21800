#include "server/api/standby.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::server {
namespace {

using testing::HasSubstr;

http::Response ask(const StandbyApi& api, std::string method, std::string path) {
  http::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  http::Response response;
  api.handle(request, [&response](const http::Answer& answer) { response = answer(); });
  return response;
}

TEST(StandbyApiTest, ItsHealthSaysThatItIsOneAndWhoLeads) {
  StandbyApi api;
  api.show({"alpha, http://127.0.0.1:8642", ""});
  const auto health = ask(api, "GET", "/healthz");
  EXPECT_EQ(health.status, 200);
  EXPECT_THAT(health.body, HasSubstr(R"("status":"standby")"));
  EXPECT_THAT(health.body, HasSubstr(R"("leader":"alpha, http://127.0.0.1:8642")"));
}

TEST(StandbyApiTest, PrometheusIsToldThatItDoesNotLead) {
  const auto metrics = ask(StandbyApi(), "GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.content_type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("gyre_leader 0"));
}

TEST(StandbyApiTest, AllElseIsRefusedWithWhoLeads) {
  StandbyApi api;
  for (const auto& [leader, expected] :
       {std::pair("", "no server leads just now; the database is away"),
        std::pair("alpha", "alpha leads; the database is away")}) {
    api.show({leader, "the database is away"});
    for (const char* path : {"/readyz", "/v1/jobs", "/", "/nothing"}) {
      const auto refusal = ask(api, "GET", path);
      EXPECT_EQ(refusal.status, 503) << path;
      EXPECT_EQ(refusal.content_type, "application/problem+json");
      EXPECT_THAT(refusal.body, HasSubstr("/problems/standby"));
      EXPECT_THAT(refusal.body, HasSubstr(expected));
    }
  }
}

}  // namespace
}  // namespace gyre::server
