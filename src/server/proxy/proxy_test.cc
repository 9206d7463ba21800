// The proxy between clients and replicas that say exactly what they are told to.
#include "server/proxy/proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace gyre::server::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kPatienceS = 20;  // only a failure takes that long

int patient_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{kPatienceS, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// One end of a connection.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  explicit Peer(const Proxy& proxy) : fd_(patient_socket()) {
    const std::string authority = proxy.authority();
    std::uint16_t port = 0;
    std::from_chars(authority.data() + authority.rfind(':') + 1,
                    authority.data() + authority.size(), port);
    const sockaddr_in address = loopback(port);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    if (fd_ >= 0) close(fd_);
  }

  void say(std::string_view text) const {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// What comes up to the end of `text`, or before the connection ends.
  std::string hear(std::string_view text) const {
    std::string got;
    char byte = 0;
    while (!got.ends_with(text) && recv(fd_, &byte, 1, 0) == 1) got += byte;
    return got;
  }
  std::string hear_head() const { return hear("\r\n\r\n"); }
  bool hears_the_end() const {
    char byte = 0;
    return recv(fd_, &byte, 1, 0) == 0;
  }
  void say_no_more() const { shutdown(fd_, SHUT_WR); }

 private:
  int fd_;
};

/// Where a replica listens.
class Door {
 public:
  Door() : fd_(patient_socket()) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  ~Door() { close(fd_); }

  Door& open() {
    EXPECT_EQ(listen(fd_, 16), 0);
    return *this;
  }
  Peer take() const {
    const int fd = accept(fd_, nullptr, nullptr);
    EXPECT_GE(fd, 0) << "nobody came";
    const timeval patience{kPatienceS, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return Peer(fd);
  }
  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

Endpoint endpoint(std::uint64_t job, const Door& door, bool ready = true) {
  return {{JobId{job}, 1}, NodeId{0}, door.port(), ready, false};
}

Probe probe_of(Probe::Kind kind, const std::string& what = "") {
  Probe probe;
  probe.kind = kind;
  probe.path = what;
  probe.pattern = what;
  probe.period = milliseconds(1);
  probe.failure_threshold = 1;
  return probe;
}

/// Its probes ask a log for what it never says, and whether it does only once in a long time.
Route route_of(std::vector<Endpoint> endpoints) {
  Route route;
  route.name = "web";
  route.probes.readiness = probe_of(Probe::Kind::Log, "quiet");
  route.probes.readiness.period = seconds(1000);
  route.endpoints = std::move(endpoints);
  return route;
}

std::string request(const std::string& line, const std::string& fields = "") {
  return fmt::format("{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", line, fields);
}

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() {
    Proxy::Ports ports;
    ports.tell = [this](Event::Body body) {
      const std::lock_guard guard(mutex_);
      told_.push_back(std::get<ReplicaProbed>(body));
      changed_.notify_all();
    };
    ports.address = [this](NodeId) -> std::optional<std::string> {
      count(asked_);
      if (asked_ == 2 && at_second_address_) at_second_address_();
      if (!address_known_) return std::nullopt;
      return "127.0.0.1";
    };
    ports.read_log = [this](const act::LogQuery& query, auto done) {
      count(read_);
      if (connected_ && !deaf_) {
        const std::lock_guard guard(mutex_);
        act::LogChunk chunk;
        if (query.stream == act::LogStream::Stdout) {
          chunk.size = log_.size();
          chunk.data = log_.substr(query.offset, query.bytes_max);
          chunk.next_offset = query.offset + chunk.data.size();
        }
        return done(chunk);
      }
      if (deaf_) return;
      done(fail(ErrorKind::Unavailable, "not connected"));
    };
    ports.start_exec = [this](NodeId, const act::ExecStart& start,
                              auto listener) -> Result<std::uint64_t> {
      const std::lock_guard guard(mutex_);
      if (!connected_) return fail(ErrorKind::Unavailable, "not connected");
      commands_.push_back({start, std::move(listener)});
      changed_.notify_all();
      return commands_.size();
    };
    ports.tell_exec = [this](const act::ExecOrder& order) {
      const std::lock_guard guard(mutex_);
      orders_.push_back(order);
      changed_.notify_all();
    };
    auto started = Proxy::start({"127.0.0.1", 0}, {}, std::move(ports));
    EXPECT_TRUE(started);
    proxy_ = std::move(*started);
  }
  ~ProxyTest() override { proxy_->stop(); }

  void count(int& what) {
    const std::lock_guard guard(mutex_);
    ++what;
    changed_.notify_all();
  }
  void show(const Route& route) { proxy_->update({route}); }
  template <class Holds>
  bool until(Holds holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(kPatienceS), holds);
  }
  /// What the core was told first.
  ReplicaProbed told() {
    EXPECT_TRUE(until([this] { return !told_.empty(); }));
    const std::lock_guard guard(mutex_);
    return told_.empty() ? ReplicaProbed{} : told_.front();
  }
  ServiceStats stats() const {
    std::promise<ServiceStats> promise;
    proxy_->ask([&promise](std::vector<ServiceStats> all) {
      promise.set_value(all.empty() ? ServiceStats{} : std::move(all.front()));
    });
    return promise.get_future().get();
  }
  Peer client() const { return Peer(*proxy_); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReplicaProbed> told_;
  struct Command {
    act::ExecStart start;
    std::function<void(act::ExecReport)> listener;
  };
  /// The n-th command that was run in a replica.
  Command command(std::size_t n) {
    EXPECT_TRUE(until([&] { return commands_.size() >= n; })) << "nothing was run";
    const std::lock_guard guard(mutex_);
    return commands_.at(n - 1);
  }
  bool hung_up(std::uint64_t id) {
    return until([&] {
      return std::any_of(orders_.begin(), orders_.end(), [id](const act::ExecOrder& order) {
        return std::holds_alternative<act::ExecHangUp>(order) && act::exec_id(order) == id;
      });
    });
  }

  std::vector<Command> commands_;
  std::vector<act::ExecOrder> orders_;
  std::string log_;                 // what the replica has written to stdout
  std::atomic<bool> deaf_ = false;  // its node neither answers nor breaks off
  std::atomic<bool> address_known_ = true;
  int asked_ = 0;
  int read_ = 0;
  std::function<void()> at_second_address_;  // on the proxy's thread
  std::atomic<bool> connected_ = true;
  std::unique_ptr<Proxy> proxy_;
};

// --- requests ------------------------------------------------------------------------------------

TEST_F(ProxyTest, AClientIsToldToGoOnAlsoWhereTheFirstReplicaTookNoConnection) {
  Door shut;
  Door door;
  show(route_of({endpoint(1, shut), endpoint(2, door.open())}));
  const Peer peer = client();
  peer.say(request("POST /services/web/", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_THAT(peer.hear_head(), StartsWith("HTTP/1.1 100 "));
  peer.say("body");
  const Peer replica = door.take();
  EXPECT_THAT(replica.hear("body"), Not(HasSubstr("Expect")));
  replica.say(kAnswer);
  EXPECT_THAT(peer.hear("ok"), StartsWith("HTTP/1.1 200 "));
}

/// In one round of the loop a connection is there, gets the first 64 KiB of a head that is longer
/// by what the proxy adds, and loses its client; then what writes the head goes on.
TEST_F(ProxyTest, AClientMayGoWhileItsRequestIsBeingWritten) {
  Door door;
  show(route_of({endpoint(1, door.open())}));
  auto goer = std::make_unique<Peer>(*proxy_);
  const Peer stayer = client();
  goer->say("GET /services/web/ HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(65'450, 'x'));
  for (int round = 0; round < 50; ++round) stats();  // each lets the proxy read on
  at_second_address_ = [&goer] { goer.reset(); };
  std::promise<void> said;
  proxy_->ask([&](const std::vector<ServiceStats>&) {
    goer->say("\r\n\r\n");
    stayer.say(request("GET /services/web/"));
    said.set_value();
  });
  said.get_future().get();
  const Peer gone = door.take();
  const Peer replica = door.take();
  EXPECT_EQ(goer, nullptr);
  EXPECT_THAT(replica.hear_head(), StartsWith("GET / "));
  replica.say(kAnswer);
  EXPECT_THAT(stayer.hear("ok"), StartsWith("HTTP/1.1 200 "));
  stats();  // the proxy goes on where it was when that was sent
  EXPECT_EQ(stats().in_flight, 0);
}

TEST_F(ProxyTest, TheProtocolIsNotChangedBeforeTheRequestHasPassed) {
  Door door;
  show(route_of({endpoint(1, door.open())}));
  const Peer peer = client();
  peer.say(
      request("POST /services/web/", "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 9\r\n") +
      "half");
  const Peer replica = door.take();
  replica.hear("half");
  replica.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  EXPECT_THAT(peer.hear_head(), StartsWith("HTTP/1.1 502 "));
  EXPECT_TRUE(replica.hears_the_end());
}

TEST_F(ProxyTest, WhoIsSilentTooLongIsAtFault) {
  struct Case {
    const char* length;
    const char* body;
    const char* answer;
    std::uint64_t ejections;
  };
  for (const Case& one : {Case{"9", "half", "HTTP/1.1 408 ", 0},  // the client pauses in its body
                          Case{"4", "body", "HTTP/1.1 504 ", 1}}) {  // the replica says nothing
    Door door;
    Route route = route_of({endpoint(1, door.open())});
    route.requests.silence_max = milliseconds(20);
    show(route);
    const Peer peer = client();
    peer.say(request("POST /services/web/", fmt::format("Content-Length: {}\r\n", one.length)) +
             one.body);
    EXPECT_THAT(peer.hear_head(), StartsWith(one.answer));
    EXPECT_EQ(stats().ejections, one.ejections);
  }
}

TEST_F(ProxyTest, ARequestIsCountedAtTheServiceThatItCameForAlsoOnceAnotherHasItsName) {
  Door door;
  show(route_of({endpoint(1, door.open())}));
  const Peer peer = client();
  peer.say(request("GET /services/web/"));
  const Peer replica = door.take();
  replica.hear_head();
  EXPECT_EQ(stats().in_flight, 1);
  proxy_->update({});
  show(route_of({endpoint(2, door)}));
  EXPECT_EQ(stats().in_flight, 0);
  replica.say(kAnswer);
  EXPECT_THAT(peer.hear("ok"), StartsWith("HTTP/1.1 200 "));
  peer.say(request("GET /services/web/"));
  const Peer next = door.take();
  next.hear_head();
  EXPECT_EQ(stats().in_flight, 1);
  next.say(kAnswer);
  peer.hear("ok");
}

TEST_F(ProxyTest, AConnectionThatAReplicaHasClosedIsLetGo) {
  Door door;
  show(route_of({endpoint(1, door.open())}));
  const Peer peer = client();
  peer.say(request("GET /services/web/"));
  const Peer replica = door.take();
  replica.hear_head();
  replica.say(kAnswer);
  peer.hear("ok");
  peer.say(request("GET /services/web/"));
  replica.hear_head();  // the same one, again
  replica.say(kAnswer);
  peer.hear("ok");
  replica.say_no_more();
  EXPECT_TRUE(replica.hears_the_end());
}

TEST_F(ProxyTest, APageOfAnotherOriginMayOnlyLook) {
  Door door;
  show(route_of({endpoint(1, door.open())}));
  const std::string evil = "Origin: http://evil.example\r\n";
  for (const auto& [line, fields] :
       {std::pair{"POST /services/web/", "Content-Length: 0\r\n"},
        std::pair{"DELETE /services/web/", ""},
        std::pair{"GET /services/web/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"}}) {
    const Peer peer = client();
    peer.say(request(line, fields + evil));
    EXPECT_THAT(peer.hear_head(), StartsWith("HTTP/1.1 403 ")) << line;
  }
  for (const auto& text : {request("GET /services/web/", evil),
                           request("DELETE /services/web/", "Origin: http://localhost\r\n")}) {
    const Peer peer = client();
    peer.say(text);
    const Peer replica = door.take();
    EXPECT_THAT(replica.hear_head(), HasSubstr("Origin"));
    replica.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    EXPECT_THAT(peer.hear("ok"), StartsWith("HTTP/1.1 200 ")) << text;
  }
}

// --- probes --------------------------------------------------------------------------------------

TEST_F(ProxyTest, AReplicaWhoseNodeIsNotConnectedIsNotDead) {
  connected_ = false;
  address_known_ = false;
  Door door;
  for (const Probe::Kind kind : {Probe::Kind::Tcp, Probe::Kind::Log}) {
    Route route = route_of({endpoint(1, door, false)});
    route.probes.startup = probe_of(kind, "up");
    show(route);
    int& asked = kind == Probe::Kind::Log ? read_ : asked_;
    EXPECT_TRUE(until([&asked] { return asked >= 20; }));
    proxy_->update({});
  }
  Route route = route_of({endpoint(1, door)});
  route.probes.readiness = probe_of(Probe::Kind::Tcp);
  route.probes.readiness.failure_threshold = 20;
  route.probes.liveness = probe_of(Probe::Kind::Tcp);
  show(route);
  EXPECT_EQ(told().health, ReplicaHealth::NotReady);
}

TEST_F(ProxyTest, WhyAReplicaIsNotReadyIsToldAnewWhenItIsSomethingElse) {
  Door door;
  Route route = route_of({endpoint(1, door, false)});
  route.probes.readiness = probe_of(Probe::Kind::Http, "/health");
  route.probes.readiness.period = milliseconds(50);
  show(route);
  EXPECT_THAT(told().detail, HasSubstr("refused"));
  door.open();
  std::thread replica([&door, this] {
    bool heard = false;
    for (int asks = 0; asks < 1000 && !heard; ++asks) {
      const Peer asker = door.take();
      asker.hear_head();
      asker.say("HTTP/1.1 500 Sorry\r\nContent-Length: 0\r\n\r\n");
      const std::lock_guard guard(mutex_);
      heard = told_.size() > 1;
    }
  });
  EXPECT_TRUE(until([this] { return told_.size() > 1; }));
  replica.join();
  EXPECT_THAT(told_.back().detail, HasSubstr("status 500"));
}

TEST_F(ProxyTest, AReplicaThatIsReadyHasStartedAlsoForAProxyThatHasNot) {
  Door door;
  Route route = route_of({endpoint(1, door.open())});
  route.probes.startup = probe_of(Probe::Kind::Log, "long ago");
  route.probes.readiness = probe_of(Probe::Kind::Http, "/health");
  show(route);
  const Peer asker = door.take();
  EXPECT_THAT(asker.hear_head(), StartsWith("GET /health "));
  EXPECT_EQ(read_, 0);
}

TEST_F(ProxyTest, WhatALogHasLostItHasSaidButNotWhatItWasNeverAskedFor) {
  Door door;
  Route route = route_of({endpoint(1, door)});
  route.probes.readiness = probe_of(Probe::Kind::Log, "up");
  show(route);
  route.probes.readiness.success_threshold = 2;
  show(route);
  EXPECT_EQ(stats().in_flight, 0);  // both have been shown
  EXPECT_EQ(read_, 0);
  route.probes.readiness = probe_of(Probe::Kind::Log, "other");
  show(route);
  EXPECT_EQ(told().health, ReplicaHealth::NotReady);
  EXPECT_THAT(told().detail, HasSubstr("'other'"));
}

TEST_F(ProxyTest, OtherProbesAreAskedOfReplicasThatRun) {
  Door shut;
  Route route = route_of({endpoint(1, shut)});
  show(route);
  EXPECT_EQ(stats().in_flight, 0);  // it has been shown
  route.probes.liveness = probe_of(Probe::Kind::Tcp);
  show(route);
  EXPECT_EQ(told().health, ReplicaHealth::Dead);
}

Probe command_probe(std::int32_t failures = 1) {
  Probe probe = probe_of(Probe::Kind::Exec);
  probe.command = {"/bin/sh", "-c", "check me"};
  probe.period = probe.timeout = milliseconds(200);
  probe.failure_threshold = failures;
  return probe;
}

TEST_F(ProxyTest, ACommandInAReplicaSaysHowItIs) {
  Door door;
  Route route = route_of({endpoint(1, door, false)});
  route.probes.readiness = command_probe();
  route.probes.readiness.timeout = seconds(kPatienceS);
  show(route);
  const Command first = command(1);
  EXPECT_EQ(first.start.key, (act::TaskKey{JobId{1}, 1, 0}));
  EXPECT_THAT(first.start.command, ::testing::ElementsAre("/bin/sh", "-c", "check me"));
  const auto last = [this] {
    const std::lock_guard guard(mutex_);
    return told_.empty() ? std::nullopt : std::optional(told_.back().health);
  };
  std::uint64_t id = 0;
  while (!last()) {
    const Command one = command(++id);
    one.listener(act::ExecStarted{id});
    one.listener(act::ExecOutput{id, true, std::string(1000, 'x') + "\n\x1b no\troom \n"});
    one.listener(act::ExecEnded{id, 3});
    stats();  // the proxy has heard it
  }
  EXPECT_EQ(told().health, ReplicaHealth::NotReady);
  EXPECT_THAT(told().detail, StartsWith("readiness: `check me`: exit code 3: xxx"));
  EXPECT_THAT(told().detail, ::testing::EndsWith("x no room"));
  EXPECT_LT(told().detail.size(), 300U);
  while (last() == ReplicaHealth::NotReady) {
    command(++id).listener(act::ExecEnded{id, 0});
    stats();
  }
  EXPECT_EQ(last(), ReplicaHealth::Ready);
}

TEST_F(ProxyTest, ACommandThatHangsOrFloodsIsEndedAndCounts) {
  Door door;
  door.open();
  Route route = route_of({endpoint(1, door)});
  route.probes.liveness = command_probe(2);
  show(route);
  command(1).listener(act::ExecOutput{1, false, "waiting for the lock\n"});
  EXPECT_TRUE(hung_up(1));
  const Command second = command(2);
  for (int i = 0; i < 33; ++i) {
    second.listener(act::ExecOutput{2, false, std::string(act::kExecPieceMax, 'y')});
  }
  EXPECT_TRUE(hung_up(2));
  EXPECT_EQ(told().health, ReplicaHealth::Dead);
  EXPECT_THAT(told().detail, StartsWith("liveness: `check me`: "));
}

TEST_F(ProxyTest, ACommandEndsWithItsReplica) {
  Door door;
  Route route = route_of({endpoint(1, door)});
  route.probes.liveness = command_probe();
  route.probes.liveness->timeout = seconds(kPatienceS);
  show(route);
  command(1);
  proxy_->update({});
  EXPECT_TRUE(hung_up(1));
}

TEST_F(ProxyTest, SilenceCountsOnlyWhereTheNodeIsHeard) {
  deaf_ = true;
  Door door;
  Route route = route_of({endpoint(1, door)});
  route.probes.liveness = command_probe();
  show(route);
  EXPECT_TRUE(hung_up(1));
  EXPECT_TRUE(hung_up(2)) << "it is asked again";
  {
    const std::lock_guard guard(mutex_);
    EXPECT_TRUE(told_.empty());
  }
  deaf_ = false;
  EXPECT_EQ(told().health, ReplicaHealth::Dead);
}

TEST_F(ProxyTest, AReplicaIsReadyWhileOnlyItsAgentIsAway) {
  Door door;
  Route route = route_of({endpoint(1, door.open())});
  route.probes.readiness = command_probe();
  route.probes.liveness = command_probe();
  connected_ = false;
  show(route);
  const int looks = asked_;
  EXPECT_TRUE(until([&] { return asked_ >= looks + 5; }));
  const std::lock_guard guard(mutex_);
  EXPECT_TRUE(told_.empty()) << told_.front().detail;
}

TEST_F(ProxyTest, ALineNowAndThenIsAHeartbeat) {
  log_ = "step 1\n";
  Door door;
  Route route = route_of({endpoint(1, door)});
  route.probes.liveness = probe_of(Probe::Kind::Heartbeat, "step");
  route.probes.liveness->interval = milliseconds(300);
  show(route);
  for (int step = 0; step < 20; ++step) {
    const int before = read_;
    EXPECT_TRUE(until([&] { return read_ > before + 10; }));
    const std::lock_guard guard(mutex_);
    log_ += "st";
    log_ += "ep\n";
    EXPECT_TRUE(told_.empty()) << told_.front().detail;
  }
  for (int more = 0; more < 3; ++more) {
    const std::lock_guard guard(mutex_);
    log_ += "something else\n";
  }
  EXPECT_EQ(told().health, ReplicaHealth::Dead);
  EXPECT_THAT(told().detail, HasSubstr("a line with 'step' every 300ms: none for "));
}

}  // namespace
}  // namespace gyre::server::proxy
