#include "adapter/grpc/wire.h"

#include <gtest/gtest.h>
#include <gyre.pb.h>

#include <limits>

#include "adapter/grpc/wire_faults.h"

namespace gyre::adapter::rpc {
namespace {

act::TaskStart full_start() {
  act::TaskStart start;
  start.key = {JobId{12}, 3, 1};
  start.command = {"python3", "-c", std::string("\xff quote\" and\nline")};
  start.env = {{"A", "1"}, {"A", "2"}};
  start.working_directory = "/data";
  start.cpu = {4000};
  start.memory = {2048};
  start.container.image = "pytorch.tar";
  start.container.registry_login = "pull.json";
  start.container.volumes = {{"/data", "/mnt", true}};
  start.gpu_devices = {"GPU-a", "GPU-b"};
  start.gpu_sharing = Sharing::Mps;
  start.gpu_milli = {500};
  start.gpu_memory = {40'960};
  start.artifacts = {"out/", "model.pt"};
  start.ports = {"http"};
  return start;
}

TEST(Wire, OrdersArriveAsTheyWereGiven) {
  const act::TaskKey key{JobId{7}, 2, 0};
  act::ReadLog read_log{9, {JobId{7}, 2, 1, act::LogStream::Stderr, 4096, 1000}};
  for (const act::Order& order :
       {act::Order{full_start()}, act::Order{act::AdoptTask{key}},
        act::Order{act::StopTask{key, {10, seconds(30)}}}, act::Order{act::ReleaseTask{key}},
        act::Order{act::DiscardTask{key}}, act::Order{read_log},
        act::Order{act::GrantLease{4, seconds(300), 1}},
        act::Order{act::ReadArtifact{5, {JobId{7}, 2, 1, "out/a", 4096, 1000}}},
        act::Order{act::ReadArtifact{6, {JobId{7}, std::nullopt, 0, "", 0, 0}}},
        act::Order{
            act::ExecOrder{act::ExecStart{3, key, {"sh", "-c", "\xff"}, true, {132, 43}, "xterm"}}},
        act::Order{act::ExecOrder{act::ExecInput{3, std::string("\0\xff", 2), true}}},
        act::Order{act::ExecOrder{act::ExecResize{3, {80, 65'535}}}},
        act::Order{act::ExecOrder{act::ExecWant{3, 65'536}}},
        act::Order{act::ExecOrder{act::ExecHangUp{3}}},
        act::Order{act::FetchImage{"/images/\xff", "pull.json"}},
        act::Order{act::FreezeTask{key, true}}}) {
    v1::FromServer message;
    write(order, message);
    v1::FromServer carried;
    ASSERT_TRUE(carried.ParseFromString(message.SerializeAsString()));
    const auto heard = read(carried);
    ASSERT_TRUE(heard) << heard.error().message;
    EXPECT_EQ(*heard, order);
  }
}

TEST(Wire, WhatThereIsOfImagesArrivesAsItWasTold) {
  const auto carry = [](const act::Report& report) {
    v1::FromAgent message;
    write(report, message);
    const auto heard = read(message);
    EXPECT_TRUE(heard);
    return std::get<act::Report>(*heard);
  };
  const act::ImagesHeld held{{{"/images/\xff", ""}, {"r.example/a:1", "sha256:abc"}}};
  EXPECT_EQ(std::get<act::ImagesHeld>(carry(held)), held);
  const act::TasksUsed used{{{{JobId{7}, 2, 3}, {seconds(5), MemoryMib{64}}},
                             {{JobId{8}, 1, 0}, {}},
                             {{JobId{9}, 1, 0}, {Duration{}, {}}}}};
  EXPECT_EQ(std::get<act::TasksUsed>(carry(used)), used);
  const act::TaskSpoke spoke{{JobId{7}, 2, 3}, milliseconds(20)};
  EXPECT_EQ(std::get<act::TaskSpoke>(carry(spoke)), spoke);
  const act::ImageFetched fetched{"r.example/a", seconds(3), "no such tag"};
  EXPECT_EQ(std::get<act::ImageFetched>(carry(fetched)), fetched);
}

TEST(Wire, NewsOfACommandArriveAsTheyWereTold) {
  const auto carry = [](const act::ExecReport& report) {
    v1::FromAgent message;
    write(act::Report{report}, message);
    const auto heard = read(message);
    EXPECT_TRUE(heard);
    return std::get<act::ExecReport>(std::get<act::Report>(*heard));
  };
  const act::ExecOutput output{3, true, std::string("\0\xff", 2)};
  EXPECT_EQ(std::get<act::ExecStarted>(carry(act::ExecStarted{3})), act::ExecStarted{3});
  EXPECT_EQ(std::get<act::ExecOutput>(carry(output)), output);
  EXPECT_EQ(std::get<act::ExecTook>(carry(act::ExecTook{3, 9})), (act::ExecTook{3, 9}));
  EXPECT_EQ(std::get<act::ExecEnded>(carry(act::ExecEnded{3, 137})).exit_code, 137);
  const auto failed =
      std::get<act::ExecEnded>(carry(act::ExecEnded{3, fail(ErrorKind::Conflict, "it is over")}));
  EXPECT_EQ(failed.id, 3U);
  EXPECT_EQ(failed.exit_code.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(failed.exit_code.error().message, "it is over");
}

act::GpusSeen two_gpus() {
  act::GpuNews busy;
  busy.facts = {3, "GPU-a", "NVIDIA H100", "00000000:1B:00.0", "535", {{0, "00000000:1C:00.0"}}};
  busy.sample.emplace();
  busy.sample->at = {seconds(7).ns};
  (*busy.sample)[GpuMetric::Utilisation] = 87;
  (*busy.sample)[GpuMetric::LastXid] = 48;
  busy.sample->processes = {{4242, {1000}}};
  busy.sample->xids = 2;
  act::GpuNews lost;
  lost.sample.emplace();
  lost.sample->health = GpuHealth::Lost;
  return {{seconds(8).ns}, {busy, lost, {}}};
}

TEST(Wire, ArtifactsArriveAsTheyAreKept) {
  const act::ArtifactList list{2, {{"out/a", 3}}, {{"link", "it is a symbolic link"}}};
  const act::ArtifactPiece piece{2, std::string("\0\xff", 2), 9};
  const auto carry = [](act::ArtifactRead answered) {
    v1::FromAgent message;
    write(act::Report{std::move(answered)}, message);
    const auto heard = read(message);
    EXPECT_TRUE(heard);
    return std::get<act::ArtifactRead>(std::get<act::Report>(*heard));
  };
  EXPECT_EQ(std::get<act::ArtifactList>(*carry({4, list}).answer), list);
  EXPECT_EQ(std::get<act::ArtifactPiece>(*carry({4, piece}).answer), piece);
  const auto failed = carry({4, fail(ErrorKind::NotFound, "none")});
  EXPECT_EQ(failed.id, 4U);
  EXPECT_EQ(failed.answer.error().message, "none");
}

TEST(Wire, WhatGpusDoArrivesAsItWasSeen) {
  v1::FromAgent message;
  write(act::Report{two_gpus()}, message);
  const auto heard = read(message);
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_EQ(std::get<act::GpusSeen>(std::get<act::Report>(*heard)), two_gpus());
}

TEST(Wire, AMetricOfALaterReleaseIsPassedOver) {
  v1::FromAgent message;
  write(act::Report{two_gpus()}, message);
  v1::GpuValue& unknown = *message.mutable_gpus()->mutable_gpus(0)->mutable_sample()->add_values();
  unknown.set_metric(kGpuMetricCount);
  unknown.set_value(9);
  const auto heard = read(message);
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_EQ(std::get<act::GpusSeen>(std::get<act::Report>(*heard)), two_gpus());
  message.mutable_gpus()->mutable_gpus(0)->mutable_sample()->set_health(3);
  EXPECT_FALSE(read(message)) << "such a state is not known";
}

TEST(Wire, AValueThatNoDeviceHasIsRefused) {
  v1::FromAgent message;
  write(act::Report{two_gpus()}, message);
  v1::GpuSample& sample = *message.mutable_gpus()->mutable_gpus(0)->mutable_sample();
  sample.mutable_values(0)->set_value(std::numeric_limits<std::int64_t>::max());
  const auto heard = read(message);
  ASSERT_FALSE(heard);
  EXPECT_NE(heard.error().message.find("which none can be"), std::string::npos);
}

TEST(Wire, AHelloArrivesAsItWasSaid) {
  act::Hello hello;
  hello.life = 99;
  hello.node = {"gpu-7", "main", "H100", 8, {81920}, {64000}, {524288}, true};
  hello.devices = {"0", "1"};
  hello.facts = {.address = "10.0.0.7",
                 .addresses = {"10.0.0.7", "fe80::1"},
                 .kernel = "6.1",
                 .gpu_driver = "535",
                 .numa_nodes = 2,
                 .labels = {{"rack", "r1"}},
                 .version = "0.1.0",
                 .gpu_links = {{0, 1, 12}, {0, -1, 6}}};
  hello.tasks = {{{JobId{1}, 1, 0}, true}, {{JobId{2}, 1, 3}, false}};
  hello.logs = {{JobId{1}, 1, 0}};
  v1::FromAgent message;
  write(hello, message);
  const auto heard = read(message);
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_EQ(std::get<act::Hello>(*heard), hello);
}

TEST(Wire, ReportsArriveAsTheyWereMade) {
  const TaskExit exit{TaskExit::Kind::Lost, 3, true, "a message"};
  v1::FromAgent message;
  write(act::Report{act::TaskOver{{JobId{5}, 1, 0}, exit}}, message);
  auto heard = read(message);
  ASSERT_TRUE(heard);
  EXPECT_EQ(std::get<act::TaskOver>(std::get<act::Report>(*heard)).exit, exit);

  write(act::Report{act::LogRead{4, fail(ErrorKind::NotFound, "no log")}}, message);
  heard = read(message);
  ASSERT_TRUE(heard);
  const auto& log = std::get<act::LogRead>(std::get<act::Report>(*heard));
  ASSERT_FALSE(log.chunk);
  EXPECT_EQ(log.chunk.error().kind, ErrorKind::NotFound);
}

TEST(Wire, RepairsAndWhatCameOfThemArriveAsTheyWereMade) {
  const act::RepairOrder order{CommandId{7}, Time{} + seconds(3), Repair::Reset, "GPU-a",
                               seconds(60)};
  v1::FromServer message;
  write(act::Order{order}, message);
  const auto read_back = read(message);
  ASSERT_TRUE(read_back);
  EXPECT_EQ(std::get<act::RepairOrder>(*read_back), order);
  message.mutable_repair()->set_repair(9);
  EXPECT_FALSE(read(message));

  const act::RepairOver over{CommandId{7}, true, "done"};
  v1::FromAgent word;
  write(act::Report{over}, word);
  const auto heard = read(word);
  ASSERT_TRUE(heard);
  EXPECT_EQ(std::get<act::RepairOver>(std::get<act::Report>(*heard)), over);
}

TEST(Wire, AFaultOfNoTaskThatThereMayBeIsRefused) {
  act::FaultOrder order;
  order.id = 7;
  order.kind = ChaosFault::Kind::KillTask;
  order.task = act::TaskKey{JobId{3}, 1, 2};
  v1::Fault fault;
  write(order, fault);
  ASSERT_TRUE(read(fault));
  EXPECT_EQ(read(fault)->task, order.task);
  fault.mutable_task()->set_rank(-1);
  const auto heard = read(fault);
  ASSERT_FALSE(heard);
  EXPECT_NE(heard.error().message.find("3.1.-1"), std::string::npos) << heard.error().message;
}

TEST(Wire, ASlowNetworkAndABrokenDeviceAreOrderedAsTheyAre) {
  act::FaultOrder order;
  order.id = 8;
  order.kind = ChaosFault::Kind::SlowNetwork;
  order.lasts = seconds(9);
  order.network = {{milliseconds(1), seconds(2)}, {5, 5}, {seconds(1), seconds(3)}, {}, {2, 2}};
  v1::Fault fault;
  write(order, fault);
  ASSERT_TRUE(read(fault));
  EXPECT_EQ(*read(fault), order);
  fault.mutable_network()->set_lost_percent(101);
  EXPECT_FALSE(read(fault));
  act::FaultOrder broken;
  broken.id = 9;
  broken.kind = ChaosFault::Kind::BreakGpu;
  broken.tasks = {{JobId{3}, 1, 2}, {JobId{4}, 1, 0}};
  v1::Fault other;
  write(broken, other);
  ASSERT_TRUE(read(other));
  EXPECT_EQ(*read(other), broken);
}

TEST(Wire, WhatANodeCanHaveIsHeardAndWhatIsUnknownIsLeftOut) {
  v1::FaultBegun message;
  write(act::FaultBegun{0,
                        {},
                        {{ChaosFault::Kind::KillNode, ""},
                         {ChaosFault::Kind::FillDisk, "it is everybody's"}}},
        message);
  message.add_able()->set_kind(77);
  const act::FaultBegun heard = read(message);
  ASSERT_EQ(heard.able.size(), 2U);
  EXPECT_EQ(heard.able[0], (act::FaultAbility{ChaosFault::Kind::KillNode, ""}));
  EXPECT_EQ(heard.able[1].obstacle, "it is everybody's");
}

TEST(Wire, ARefusedFaultIsToldInWholeCharacters) {
  std::string why(999, 'x');
  why += "\xc3\xa9 and so on";
  v1::FaultBegun message;
  write(act::FaultBegun{7, fail(ErrorKind::Conflict, "{}", why)}, message);
  const act::FaultBegun heard = read(message);
  EXPECT_EQ(heard.id, 7U);
  EXPECT_EQ(heard.begun.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(heard.begun.error().message, std::string(999, 'x'));
}

TEST(Wire, WhatMakesNoSenseIsRefusedWithAName) {
  v1::FromServer order;
  EXPECT_FALSE(read(order));
  order.mutable_stop()->mutable_key()->set_job(1);
  order.mutable_stop()->set_grace_ns(-1);
  EXPECT_FALSE(read(order));
  order.mutable_start()->mutable_key()->set_job(1);
  order.mutable_start()->set_launch("{");
  EXPECT_FALSE(read(order));
  v1::FromAgent word;
  word.mutable_over()->mutable_key()->set_job(0);
  EXPECT_FALSE(read(word));
  word.mutable_hello()->set_node(R"({"gpus":"many"})");
  const auto heard = read(word);
  ASSERT_FALSE(heard);
  EXPECT_NE(heard.error().message.find("gpus"), std::string::npos) << heard.error().message;
}

}  // namespace
}  // namespace gyre::adapter::rpc
