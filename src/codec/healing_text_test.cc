#include "codec/healing_text.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace gyre::codec {
namespace {

using ::testing::HasSubstr;

std::string shown(std::string_view text) {
  const auto spec = parse_healing(text);
  if (spec) return "good";
  std::string all;
  for (const SpecProblem& problem : spec.error()) all += describe(problem) + "\n";
  return all;
}
std::string book(std::string_view playbooks) {
  return shown(fmt::format("{{version: 1, name: mine, playbooks: {{{}}}}}", playbooks));
}

TEST(HealingText, TheDefaultIsWrittenInTheSameFormat) {
  const std::string text = to_yaml(default_healing());
  const auto spec = parse_healing(text);
  ASSERT_TRUE(spec) << shown(text);
  EXPECT_EQ(*spec, default_healing()) << text;
}

TEST(HealingText, APlaybookLeadsToTheNextOne) {
  std::ifstream file(GYRE_SOURCE_DIR "/tests/fuzz/healing_text/chain.yaml");
  std::stringstream text;
  text << file.rdbuf();
  const auto spec = parse_healing(text.str());
  ASSERT_TRUE(spec) << shown(text.str());
  const Duration hour = seconds(3600);
  EXPECT_EQ(spec->name, "strict");
  EXPECT_EQ(
      spec->rules,
      (std::vector<HealingRule>{
          {Symptom::DeviceFault, 1, hour * 24, Remedy::Evacuate, 79, Repair::None, false, "gpu"},
          {Symptom::DeviceFault, 3, hour * 72, Remedy::Drain, 79, Repair::None, false, "condemn"},
          {Symptom::TaskStalled, 2, hour * 6, Remedy::Cordon, 0, Repair::None, false, "hangs"}}));
  EXPECT_EQ(spec->quarantine, seconds(600));
  EXPECT_EQ(spec->quarantined_percent_max, 10);
  EXPECT_EQ(spec->quarantines_per_hour_max, 4);
  EXPECT_EQ(spec->backoff_jitter_percent, 0);
  EXPECT_EQ(*parse_healing(to_yaml(*spec)), *spec) << to_yaml(*spec);
}

TEST(HealingText, ContradictionsAreOneClearError) {
  EXPECT_THAT(book("a: {on: node_lost, do: [quarantine, cordon]}"),
              HasSubstr("line 1, column 61: playbooks.a.do: these contradict each other"));
  EXPECT_THAT(book("a: {on: node_lost, do: [note, cordon]}"), HasSubstr("nothing is done"));
  EXPECT_THAT(book("a: {on: node_lost, do: [quarantine], again: {playbook: b}}, "
                   "b: {times: 5, do: [cordon]}"),
              HasSubstr("playbooks.b: 'times' goes with `on`"));
  EXPECT_EQ(book("a: {on: node_lost, do: [cordon]}, b: {on: node_lost, do: [quarantine]}"),
            "line 1, column 72: playbooks.b: playbook 'b' contradicts playbook 'a': the same 1 of "
            "node_lost leads to 'cordon' and to 'quarantine'\n");
  EXPECT_THAT(book("a: {on: node_lost, do: [drain]}, "
                   "b: {on: node_lost, times: 3, do: [quarantine]}"),
              HasSubstr("playbook 'b' does nothing: playbook 'a' has led to 'drain' by then"));
  EXPECT_THAT(book("a: {on: node_lost, do: [drain], "
                   "again: {times: 2, within: 1d, playbook: b}}, b: {do: [quarantine]}"),
              HasSubstr("does nothing"));
}

TEST(HealingText, CirclesAreOneClearError) {
  EXPECT_THAT(book("a: {on: node_lost, do: [move]}"), HasSubstr("goes in a circle: what 'move'"));
  EXPECT_THAT(book("a: {on: node_lost, do: [quarantine], again: {times: 2, playbook: b}}, "
                   "b: {do: [cordon], again: {times: 3, playbook: a}}"),
              HasSubstr("playbooks.b.again: this goes in a circle: a -> b -> a; end it"));
  EXPECT_THAT(book("a: {on: node_lost, do: [quarantine], again: {times: 2, playbook: a}}"),
              HasSubstr("a -> a"));
}

TEST(HealingText, WhatCanDoNothingIsSaid) {
  EXPECT_THAT(book("a: {do: [cordon]}"), HasSubstr("nothing leads here"));
  EXPECT_THAT(book("a: {on: node_lost, do: [cordon], again: {playbook: c}}"),
              HasSubstr("there is no playbook 'c'"));
  EXPECT_THAT(book("a: {on: storage_full, do: [cordon]}"), HasSubstr("of the server"));
  EXPECT_THAT(book("a: {on: task_failed, do: [cordon]}"), HasSubstr("held against its job"));
  EXPECT_THAT(book("a: {on: node_lost, xid: 79, do: [cordon]}"), HasSubstr("have an Xid"));
  EXPECT_THAT(book("a: {on: application_fault, xid: 79, do: [cordon]}"),
              HasSubstr("Xid 79 is a case of device_fault"));
  EXPECT_THAT(book("a: {on: node_lost, times: 2, within: 30d, do: [cordon]}"),
              HasSubstr("longer than symptoms are remembered"));
}

TEST(HealingText, EachMistakeIsNamedWhereItIs) {
  EXPECT_EQ(shown(""), "the file is empty\n");
  EXPECT_THAT(shown("{name: a}"), HasSubstr("'version' is missing"));
  EXPECT_THAT(shown("{version: 2, name: a}"), HasSubstr("reads version 1"));
  EXPECT_THAT(shown("{version: 1, name: default, playbooks: {a: {on: node_lost, do: [cordon]}}}"),
              HasSubstr("choose another"));
  EXPECT_THAT(shown("{version: 1, name: a, limit: {}}"), HasSubstr("(did you mean 'limits'?)"));
  EXPECT_THAT(shown("{version: 1, name: a, limits: {nodes: 120%}}"), HasSubstr("0% to 100%"));
  EXPECT_THAT(shown("{version: 1, name: a, playbooks: {a: {on: node_lost, do: [cordon]}}, "
                    "quarantine: {first: 2d}}"),
              HasSubstr("longer than quarantine_max"));
  EXPECT_THAT(book("a: {on: node_lst, do: [cordon]}"), HasSubstr("expected one of application_"));
  EXPECT_THAT(book("a: {on: node_lost}"), HasSubstr("'do' is missing"));
  EXPECT_THAT(book("a: {on: node_lost, do: [rebot]}"), HasSubstr("expected one of note, "));
  EXPECT_THAT(book("a: {on: node_lost, times: 33, do: [cordon]}"), HasSubstr("from 1 to 32"));
  EXPECT_THAT(shown("{version: 1, name: nothing-by-itself}"), HasSubstr("there is no playbook"));
}

TEST(HealingText, StepsForTheHardwareAreReadAndWritten) {
  const auto spec = parse_healing(
      "{version: 1, name: hardware, limits: {repair: 10m}, playbooks: {"
      "a: {on: device_fault, do: [quarantine, move, reset, burn-in], again: {playbook: b}}, "
      "b: {do: [quarantine, move, reboot, burn-in], again: {times: 3, playbook: c}}, "
      "c: {do: [drain, replace]}}}");
  ASSERT_TRUE(spec) << describe(spec.error().front());
  ASSERT_EQ(spec->rules.size(), 3U);
  EXPECT_EQ(spec->rules[0].repair, Repair::Reset);
  EXPECT_TRUE(spec->rules[0].burn_in);
  EXPECT_EQ(spec->rules[1].repair, Repair::Reboot);
  EXPECT_EQ(spec->rules[2].repair, Repair::Replace);
  EXPECT_FALSE(spec->rules[2].burn_in);
  EXPECT_EQ(spec->repair_max, seconds(600));
  const auto again = parse_healing(to_yaml(*spec));
  ASSERT_TRUE(again) << to_yaml(*spec);
  EXPECT_EQ(*again, *spec);
}

TEST(HealingText, StepsForTheHardwareThatCannotWorkAreOneClearError) {
  EXPECT_THAT(book("a: {on: device_fault, do: [quarantine, reset]}"), HasSubstr("add "));
  EXPECT_THAT(book("a: {on: device_fault, do: [reboot]}"), HasSubstr("nothing runs"));
  EXPECT_THAT(book("a: {on: device_fault, do: [quarantine, move, reset, reboot]}"),
              HasSubstr("keep one"));
  EXPECT_THAT(book("a: {on: device_fault, do: [drain, burn-in]}"), HasSubstr("contradict"));
  EXPECT_THAT(book("a: {on: node_lost, do: [quarantine, move, reset]}"),
              HasSubstr("playbook 'a': 'reset' is of the GPU that an error names"));
  EXPECT_THAT(book("a: {on: node_lost, do: [drain, reboot]}, b: {on: node_lost, do: [drain]}"),
              HasSubstr("leads to other repairs"));
  EXPECT_THAT(book("a: {on: node_lost, do: [drain, reboot]}, "
                   "b: {on: node_lost, times: 2, do: [drain]}"),
              HasSubstr("does nothing"));
}

TEST(HealingText, APlaybookToWhichSeveralLeadIsWrittenOnceForEach) {
  const auto spec = parse_healing(
      "{version: 1, name: mine, playbooks: {a: {on: node_lost, do: [note], again: {playbook: c}},"
      " b: {on: start_refused, do: [note], again: {playbook: c}}, c: {do: [cordon]}}}");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->rules.at(1).playbook, "c");
  EXPECT_EQ(spec->rules.at(3).playbook, "c");
  const std::string text = to_yaml(*spec);
  EXPECT_THAT(text, HasSubstr("\n  c:\n    on: node_lost"));
  EXPECT_THAT(text, HasSubstr("\n  c-2:\n    on: start_refused"));
  const auto again = parse_healing(text);
  ASSERT_TRUE(again) << text;
  EXPECT_EQ(to_yaml(*again), text);
}

TEST(HealingText, WhatIsAnsweredWithoutARuleTakesNone) {
  EXPECT_THAT(book("a: {on: gpu_unknown, do: [cordon]}"),
              HasSubstr("gpu_unknown is answered without a rule: nothing new is put on the node"));
  EXPECT_THAT(book("a: {on: task_unrecorded, do: [cordon]}"), HasSubstr("the task is ended"));
}

}  // namespace
}  // namespace gyre::codec
