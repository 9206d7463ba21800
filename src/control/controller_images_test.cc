// Which nodes hold images: who starts there, and who is to fetch one ahead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller.h"

namespace gyre::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kImage = "r.example/train:1";

class ImagesTest : public ::testing::Test {
 protected:
  ImagesTest() : core_(Config{}) {
    tell(PolicySet{*policy_by_name("easy")});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 4; ++i) {
      tell(NodeJoined{{i}, {"n" + std::to_string(i), "", "A100", 4, {81920}, {64000}, {524288}}});
    }
  }

  const Decisions& tell(Event::Body body) {
    return core_.step({now_, EventSeq{++seq_}, std::move(body)});
  }
  const Decisions& holds(std::uint32_t node) {
    return tell(NodeImagesSeen{{node}, {{kImage, ""}}, {}});
  }
  const Decisions& submit(std::int32_t gpus, const std::string& image = kImage,
                          std::int32_t tasks = 1) {
    JobSpec spec;
    spec.tasks = {{tasks, {}}};
    spec.tasks[0].request.gpus = gpus;
    spec.launch.container.image = image;
    spec.expected_duration = seconds(100);
    return tell(JobSubmitted{{core_.jobs().last().value + 1}, spec, {}});
  }
  template <class Body>
  static std::vector<Body> commands_of(const Decisions& decisions) {
    std::vector<Body> found;
    for (const Command& command : decisions.commands) {
      if (const auto* body = std::get_if<Body>(&command.body)) found.push_back(*body);
    }
    return found;
  }

  Time now_ = Time{} + seconds(1);
  std::uint64_t seq_ = 0;
  Controller core_;
};

TEST_F(ImagesTest, AJobStartsWhereItsImageIsAmongNodesThatAreAlike) {
  holds(2);
  StartGang start = commands_of<StartGang>(submit(1)).at(0);
  EXPECT_EQ(start.placement.at(0).node, NodeId{2});
  EXPECT_EQ(start.with_image, 1);
  start = commands_of<StartGang>(submit(4, kImage, 2)).at(0);
  EXPECT_EQ(start.with_image, 0) << "the one that holds it has no four GPUs left";
  start = commands_of<StartGang>(submit(1, "r.example/other")).at(0);
  EXPECT_EQ(start.placement.at(0).node, NodeId{2}) << "the fullest node still goes first";
  EXPECT_EQ(start.with_image, 0);
  start = commands_of<StartGang>(submit(1, "")).at(0);
  EXPECT_EQ(start.with_image, 0);
}

TEST_F(ImagesTest, ANodeThatIsLostIsNotKnownToHoldAnything) {
  holds(2);
  tell(NodeLost{{2}, "test"});
  holds(2);
  tell(NodeReturned{{2}});
  EXPECT_TRUE(core_.images().empty());
  EXPECT_EQ(commands_of<StartGang>(submit(1)).at(0).placement.at(0).node, NodeId{0});
}

TEST_F(ImagesTest, WhatIsNoImageIsNotKept) {
  tell(NodeImagesSeen{{1}, {{"not an image", ""}, {kImage, "sha256:no"}}, {}});
  tell(NodeImagesSeen{{77}, {{kImage, ""}}, {}});
  EXPECT_TRUE(core_.images().empty());
}

TEST_F(ImagesTest, AJobThatHasItsRoomKeptHasItsImageFetchedThereOnce) {
  for (int i = 0; i < 4; ++i) submit(4, "");
  const Decisions& made = submit(4, kImage, 2);
  EXPECT_THAT(commands_of<PrefetchImage>(made),
              ElementsAre(PrefetchImage{{0}, {5}}, PrefetchImage{{1}, {5}}));
  EXPECT_THAT(commands_of<PrefetchImage>(tell(Tick{})), IsEmpty());
  holds(0);
  EXPECT_THAT(commands_of<PrefetchImage>(tell(Tick{})), IsEmpty());
  // It goes on from what a snapshot holds.
  auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->state(), core_.state());
  now_ = now_ + seconds(700);  // the reservation has been moved on by then
  for (Controller* core : {&core_, &*restored}) {
    const Decisions& later = core->step({now_, EventSeq{seq_ + 1}, Tick{}});
    EXPECT_THAT(commands_of<PrefetchImage>(later), ElementsAre(PrefetchImage{{1}, {5}}));
  }
}

TEST_F(ImagesTest, AServicesNextReplicasFindTheirImage) {
  ServiceSpec spec;
  spec.replica.name = "chat";
  spec.replica.tasks = {{1, {}}};
  spec.replica.tasks[0].request.gpus = 4;
  spec.replica.launch.container.image = kImage;
  spec.replicas = {1, 3, 2, seconds(60), seconds(120)};
  const Decisions& made = tell(ServiceApplied{spec});
  const auto starts = commands_of<StartGang>(made);
  ASSERT_EQ(starts.size(), 1U);
  ASSERT_EQ(starts[0].placement.at(0).node, NodeId{0});
  EXPECT_THAT(commands_of<PrefetchImage>(made),
              ElementsAre(PrefetchImage{{1}, {1}}, PrefetchImage{{2}, {1}}));
  EXPECT_THAT(commands_of<PrefetchImage>(holds(3)), IsEmpty());
  tell(TaskStarted{{1}, 1, 0});
  EXPECT_THAT(commands_of<PrefetchImage>(tell(NodeLost{{1}, "test"})), IsEmpty())
      << "two more go where the image is, or is on its way";
}

ServiceSpec service_of(const std::string& name, std::int32_t gpus = 4) {
  ServiceSpec spec;
  spec.replica.name = name;
  spec.replica.tasks = {{1, {}}};
  spec.replica.tasks[0].request.gpus = gpus;
  spec.replica.launch.container.image = "r.example/" + name;
  spec.replicas = {1, 3, 2, seconds(60), seconds(120)};
  return spec;
}

TEST_F(ImagesTest, AServiceIsLookedAtWhenItsImageHasComeOrGone) {
  tell(ServiceApplied{service_of("chat")});
  EXPECT_GT(core_.last_work(), 0) << "what a look costs is counted";
  tell(Tick{});
  EXPECT_EQ(core_.last_work(), 0);
  holds(3);
  EXPECT_EQ(core_.last_work(), 0) << "that is another's image";
  tell(NodeImagesSeen{{3}, {{"r.example/chat", ""}}, {}});
  EXPECT_GT(core_.last_work(), 0);
  tell(NodeImagesSeen{{3}, {{kImage, ""}}, {{"r.example/chat", ""}}});
  EXPECT_GT(core_.last_work(), 0);
}

TEST_F(ImagesTest, ManyServicesComeToTheirTurnOneAfterAnother) {
  Config config;
  config.cycle_work_max = 1;
  Controller core(config);
  std::uint64_t seq = 0;
  const auto tell_it = [&](Event::Body body) {
    return core.step({now_, EventSeq{++seq}, std::move(body)});
  };
  std::vector<PrefetchImage> asked;
  const auto collect = [&asked](const Decisions& decisions) {
    for (const PrefetchImage& one : commands_of<PrefetchImage>(decisions)) asked.push_back(one);
  };
  const auto drain = [&] {
    int steps = 0;
    for (; core.has_leftover(); ++steps) {
      EXPECT_EQ(core.next_wakeup(), now_);
      collect(tell_it(Tick{}));
    }
    return steps;
  };
  tell_it(PolicySet{*policy_by_name("easy")});
  tell_it(QueueSet{{"default", ""}});
  tell_it(NodeJoined{{0}, {"n0", "", "A100", 8, {81920}, {64000}, {524288}}});
  for (int i = 0; i < 8; ++i) {
    collect(tell_it(ServiceApplied{service_of("s" + std::to_string(i), 1)}));
    drain();
  }
  EXPECT_EQ(asked.size(), reason::Prefetcher::kPerNodeMax) << "of the one node";
  collect(tell_it(NodeJoined{{1}, {"n1", "", "A100", 8, {81920}, {64000}, {524288}}}));
  EXPECT_TRUE(core.has_leftover());
  EXPECT_GT(drain(), 3) << "no step looks at all of them";
  EXPECT_EQ(asked.size(), 2 * reason::Prefetcher::kPerNodeMax);
  // A core that goes on from here does the same.
  auto restored = Controller::restore(config, core.state());
  ASSERT_TRUE(restored) << restored.error().message;
  const NodeJoined third{{2}, {"n2", "", "A100", 8, {81920}, {64000}, {524288}}};
  collect(tell_it(third));
  restored->step({now_, EventSeq{seq}, third});
  EXPECT_EQ(restored->state(), core.state());
  drain();
}

TEST_F(ImagesTest, WhatIsKeptForJobsIsLookedAtWhenItHasChanged) {
  for (int i = 0; i < 4; ++i) submit(4, "");
  submit(4, kImage, 2);
  tell(Tick{});
  EXPECT_EQ(core_.last_work(), 0);
  tell(TaskStarted{{1}, 1, 0});
  EXPECT_EQ(core_.last_work(), 0);
  holds(3);
  EXPECT_EQ(core_.last_work(), 2) << "the nodes of its two tasks";
}

TEST_F(ImagesTest, WhatIsAProcessOfTheNodeHasNothingFetched) {
  for (int i = 0; i < 4; ++i) submit(4, "");
  EXPECT_THAT(commands_of<PrefetchImage>(submit(4, "")), IsEmpty());
}

}  // namespace
}  // namespace gyre::control
