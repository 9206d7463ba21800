#include "codec/service_spec_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace gyre::codec {
namespace {

std::string shown(std::string_view text) {
  const auto spec = parse_service_spec(text, SpecFormat::Auto);
  if (spec) return "good";
  std::string all;
  for (const SpecProblem& problem : spec.error()) all += describe(problem) + "\n";
  return all;
}

TEST(ServiceSpecText, EverythingIsReadAndReadsBackFromWhatIsShown) {
  std::ifstream file(GYRE_SOURCE_DIR "/tests/fuzz/service_spec/full.yaml");
  std::stringstream text;
  text << file.rdbuf();
  const auto spec = parse_service_spec(text.str(), SpecFormat::Yaml);
  ASSERT_TRUE(spec) << shown(text.str());
  EXPECT_EQ(spec->replica.name, "chat");
  EXPECT_TRUE(spec->replica.retry.on_error);
  EXPECT_EQ(spec->replicas, (ReplicaCount{0, 4, 8, seconds(120), seconds(600), {}, 0, 2}));
  EXPECT_EQ(spec->startup->failure_threshold, 600);
  EXPECT_EQ(spec->readiness.path, "/ready");
  EXPECT_EQ(spec->liveness->kind, Probe::Kind::Tcp);
  EXPECT_EQ(spec->rollout, (Rollout{seconds(300), 2, seconds(60)}));
  const auto again = parse_service_spec(to_yaml(*spec).value(), SpecFormat::Yaml);
  ASSERT_TRUE(again) << *to_yaml(*spec);
  EXPECT_EQ(*again, *spec);
}

TEST(ServiceSpecText, ANumberOfReplicasIsThatManyAlways) {
  const auto spec = parse_service_spec("{name: a, command: b, replicas: 3}", SpecFormat::Yaml);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->replicas.min, 3);
  EXPECT_EQ(spec->replicas.max, 3);
}

TEST(ServiceSpecText, ReplicasAreSpreadOverNodesUnlessItSaysOtherwise) {
  const auto rules = [](std::string_view placement) {
    const auto spec = parse_service_spec(
        fmt::format("{{name: a, command: b, replicas: 3{}}}", placement), SpecFormat::Yaml);
    EXPECT_TRUE(spec) << placement;
    const auto again = parse_service_spec(to_yaml(*spec).value(), SpecFormat::Yaml);
    EXPECT_EQ(*again, *spec) << *to_yaml(*spec);
    return to_string(*spec->replica.placement);
  };
  EXPECT_EQ(rules(""), "spread: node");
  EXPECT_EQ(rules(", placement: {max_per_node: 2}"), "max_per_node: 2, spread: node");
  EXPECT_EQ(rules(", placement: {spread: rack}"), "spread: rack");
  EXPECT_EQ(rules(", placement: {pack: node}"), "pack: node");
  EXPECT_EQ(rules(", placement: {spread: none}"), "");
  ServiceSpec old;
  old.replica.name = "old";
  old.replica.launch.command = {"b"};
  old.replica.tasks.resize(1);
  EXPECT_NE(to_yaml(old).value().find("spread: none"), std::string::npos);
}

TEST(ServiceSpecText, EachMistakeIsNamedWhereItIs) {
  EXPECT_NE(shown("{name: a, command: b, replicas: 2, placement: {max_per_node: 3}}")
                .find("at most 2 replicas: it limits nothing"),
            std::string::npos);
  EXPECT_EQ(shown("{name: a, command: b, retry: {max: 1}}"),
            "line 1, column 23: retry: a service has none: its replicas run until it needs them no "
            "more, and are tried again however they end\n");
  EXPECT_EQ(shown("{name: a, command: b, replicas: {min: 2, mx: 4}}"),
            "line 1, column 42: replicas.mx: there is no such field; there are min, max, "
            "target_in_flight, target_queue_time, target_gpu_activity, frozen, scale_down_after, "
            "idle (did you mean 'max'?)\n");
  EXPECT_EQ(shown("{name: a, command: b, replicas: {min: 1, max: 4}}"),
            "line 1, column 1: replicas: between 1 and 4 something must decide; set "
            "target_in_flight, target_queue_time or target_gpu_activity\n");
  EXPECT_NE(shown("{name: a, command: b, replicas: {max: 4, target_in_flight: 1, frozen: 5}}")
                .find("replicas: frozen is 5, and there are 4 at most; lower it"),
            std::string::npos);
  EXPECT_NE(shown("{name: a, command: b, replicas: {min: 2, frozen: 1}}")
                .find("replicas: there are always 2, and none is ever to be frozen"),
            std::string::npos);
  EXPECT_EQ(shown("{name: a, command: b, replicas: {max: 4, target_gpu_activity: 101}}"),
            "line 1, column 63: replicas.target_gpu_activity: expected a whole number from 1 to "
            "100\n");
  EXPECT_EQ(shown("{name: a, command: b, replicas: {max: 4, target_gpu_activity: 60}}"),
            "line 1, column 1: replicas: target_gpu_activity: a replica has no GPU; ask for one in "
            "'resources', or leave it out\n");
  EXPECT_EQ(shown("{name: a, command: b, probes: {readiness: {http: /a, tcp: true}}}"),
            "line 1, column 43: probes.readiness: say one of `tcp: true`, `http: /PATH`, "
            "`exec: COMMAND`, `log: TEXT` and `heartbeat: DURATION`\n");
  EXPECT_EQ(shown("{name: a, command: b, rollout: {drain: 3}}"),
            "line 1, column 40: rollout.drain: expected a time with a unit (ms, s, m, h, d, w), as "
            "in 90s or 1h30m, of ten years at most\n");
  EXPECT_NE(shown("{command: b}").find("a service needs a name"), std::string::npos);
  EXPECT_NE(shown("{name: a, image: /i, command: b, network: none}").find("reached by nobody"),
            std::string::npos);
  const auto probe = [](std::string_view text, std::string_view which = "liveness") {
    return shown(fmt::format("{{name: a, command: b, probes: {{{}: {}}}}}", which, text));
  };
  EXPECT_EQ(probe("{exec: check}"), "good");
  EXPECT_EQ(probe("{exec: [check, -v, 3]}"), "good");
  EXPECT_EQ(probe("{heartbeat: 30s, line: step}"), "good");
  EXPECT_NE(probe("{exec: []}").find("probes.liveness.exec: the command is empty"),
            std::string::npos);
  EXPECT_NE(probe("{exec: [a, {}]}").find("probes.liveness.exec[1]: expected a text"),
            std::string::npos);
  EXPECT_NE(probe("{exec: a, period: 50ms}").find("100ms at least"), std::string::npos);
  EXPECT_NE(probe("{tcp: true, line: a}").find("goes with `heartbeat`"), std::string::npos);
  EXPECT_NE(probe("{heartbeat: 500ms}").find("shorter than period"), std::string::npos);
  EXPECT_NE(probe("{heartbeat: 30s}", "startup").find("use log"), std::string::npos);
  EXPECT_NE(probe("{log: a}").find("use tcp, http, exec or heartbeat"), std::string::npos);
  EXPECT_NE(shown("[]").find("expected fields"), std::string::npos);
  EXPECT_NE(shown("{kind: job, name: a, command: b}").find("expected 'service'"),
            std::string::npos);
}

}  // namespace
}  // namespace gyre::codec
