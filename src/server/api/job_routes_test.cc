#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "server/api/api.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

/// A node of two GPUs that a job of an hour has, another job of two that waits, and an API whose
/// thread that looks ahead can be held up.
struct LookAheadTest : testing::Test {
  control::Controller core{control::Config{}};
  live::Inbox inbox;
  live::Fleet fleet{inbox, {}, [] { return Duration{}; }};
  Watch watch{100, core, Time{}};
  std::promise<void> go;
  bool free_to_go = false;
  WorkThread ahead{2};
  Api api{inbox, fleet, watch, {.clock = [this] { return core.now(); }, .ahead = &ahead}};
  std::uint64_t seq = 0;

  LookAheadTest() {
    tell(PolicySet{*policy_by_name("easy")});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{
        NodeId{0},
        {"node-0", "", "H100", 2, MemoryMib{81'920}, CpuMilli{8000}, MemoryMib{32'768}, true}});
    JobSpec spec;
    spec.launch.command = {"true"};
    spec.expected_duration = seconds(3600);
    spec.tasks.resize(1);
    spec.tasks[0].request.gpus = 2;
    tell(JobSubmitted{JobId{1}, spec, ""});
    tell(JobSubmitted{JobId{2}, spec, ""});
  }

  void tell(Event::Body body) {
    core.step({Time{} + seconds(static_cast<std::int64_t>(++seq)), EventSeq{seq}, std::move(body)});
  }

  /// What becomes of a request, once the driver has had its turn.
  std::future<http::Response> send(std::string method, std::string path, std::string flag = {}) {
    const auto promise = std::make_shared<std::promise<http::Response>>();
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    if (!flag.empty()) request.query = {{std::move(flag), "true"}};
    if (request.method == "POST") {
      request.headers.emplace_back("content-type", "application/json");
      request.body = R"({"command": ["true"], "resources": {"gpu": 2}})";
    }
    api.handle(std::move(request),
               [promise](const http::Answer& answer) { promise->set_value(answer()); });
    for (const live::Query& query : inbox.take_queries()) query(core);
    return promise->get_future();
  }
  std::future<http::Response> explain(const std::string& flag = {}) {
    return send("GET", "/v1/jobs/2/explanation", flag);
  }
  static Json waiting(std::future<http::Response> response) {
    return Json::parse(response.get().body).at("waiting");
  }

  ~LookAheadTest() override { let_go(); }

  void let_go() {
    if (!std::exchange(free_to_go, true)) go.set_value();
  }

  void hold_up() {
    std::promise<void> begun;
    ASSERT_TRUE(ahead.post([&] {
      begun.set_value();
      go.get_future().wait();
    }));
    begun.get_future().wait();
  }
};

bool is_there(const std::future<http::Response>& response) {
  return response.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

TEST_F(LookAheadTest, NobodyWaitsForItButWhoAsked) {
  hold_up();
  auto told = explain("outlook");
  EXPECT_FALSE(is_there(told));
  auto plain = explain();
  ASSERT_TRUE(is_there(plain));
  EXPECT_TRUE(waiting(std::move(plain)).at("outlook").is_null());
  let_go();
  const Json why = waiting(std::move(told));
  EXPECT_TRUE(why.at("expected_start").is_string()) << why;
  EXPECT_TRUE(why.at("outlook").is_object()) << why;
}

TEST_F(LookAheadTest, ItSeesTheCoreAsItWasWhenItWasAsked) {
  hold_up();
  auto planned = send("POST", "/v1/plans");
  EXPECT_FALSE(is_there(planned));
  tell(JobStopRequested{JobId{2}});
  tell(TaskStarted{JobId{1}, 1, 0});
  tell(TaskEnded{JobId{1}, 1, 0, {TaskExit::Kind::Exited, 0, false, ""}});
  let_go();
  const Json plan = Json::parse(planned.get().body);
  EXPECT_FALSE(plan.at("starts_now").get<bool>()) << plan;
  EXPECT_TRUE(plan.at("waiting").at("outlook").is_object()) << plan;
  EXPECT_TRUE(Json::parse(send("POST", "/v1/plans").get().body).at("starts_now").get<bool>());
}

TEST_F(LookAheadTest, ItIsLookedForOnceForAllWhoAsk) {
  hold_up();
  auto one = explain("outlook");
  auto other = explain("outlook");  // there is room for no more
  EXPECT_FALSE(is_there(other));
  EXPECT_EQ(waiting(explain()).at("no_outlook"), "") << "it was not asked for";
  let_go();
  const Json told = waiting(std::move(one));
  EXPECT_TRUE(told.at("outlook").is_object()) << told;
  EXPECT_EQ(waiting(std::move(other)), told);
}

TEST_F(LookAheadTest, WhatIsTooMuchIsSaidAtOnce) {
  hold_up();
  tell(JobSubmitted{JobId{3}, core.jobs().find(JobId{2})->spec, ""});
  const auto last = explain("outlook");
  auto more = send("GET", "/v1/jobs/3/explanation", "outlook");
  ASSERT_TRUE(is_there(more));
  const Json none = waiting(std::move(more));
  EXPECT_TRUE(none.at("outlook").is_null());
  EXPECT_THAT(none.at("no_outlook").get<std::string>(), ::testing::HasSubstr("too many"));
  auto plan = send("POST", "/v1/plans");
  ASSERT_TRUE(is_there(plan));
  const http::Response refused = plan.get();
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_NE(refused.body.find("too many plans"), std::string::npos) << refused.body;
  let_go();
}

TEST_F(LookAheadTest, WhatIsWrongIsSaidAtOnce) {
  hold_up();
  auto unknown = send("GET", "/v1/jobs/77/explanation", "outlook");
  ASSERT_TRUE(is_there(unknown));
  EXPECT_EQ(unknown.get().status, 404);
  let_go();
}

}  // namespace
}  // namespace gyre::server
