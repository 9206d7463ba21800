// What agents cost a server: many connections over mutual TLS, each with a beat a second that is
// answered with a lease. The agents are in a process of their own, so that the server's processor
// time is its own alone.
//
//   build-bench/bench_fleet_agents [AGENTS] [SECONDS]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "adapter/grpc/client.h"
#include "adapter/grpc/server.h"
#include "adapter/openssl/authority.h"
#include "live/test_kit.h"

namespace {

using namespace gyre;
using adapter::openssl::Authority;
using adapter::rpc::Identity;

std::string name_of(int agent) { return "agent-" + std::to_string(agent); }

template <class T>
T must(Result<T> made) {
  if (!made) std::fprintf(stderr, "%s\n", made.error().message.c_str());
  GYRE_ASSERT(made);
  return std::move(*made);
}

Identity member(Authority& authority, int agent) {
  const std::string token = must(authority.make_token("", seconds(600)));
  auto request = must(adapter::openssl::make_request(name_of(agent)));
  auto certificate = must(authority.admit({token, name_of(agent), request.certificate_pem}));
  return {std::move(certificate), std::move(request.key_pem), authority.certificate_pem()};
}

class Listener final : public agent::LinkListener {
 public:
  void received(act::Order order) override {
    if (std::holds_alternative<act::GrantLease>(order)) ++leases;
  }
  void broke(const Error& why) override {
    if (!ending) std::fprintf(stderr, "a connection broke: %s\n", why.message.c_str());
  }
  std::atomic<long> leases{0};
  std::atomic<bool> ending{false};
};

/// The agents' process: says how many leases came.
void run_agents(const std::vector<Identity>& identities, int port, int for_seconds) {
  Listener listener;
  std::vector<std::unique_ptr<agent::Link>> links;
  const std::string server = "127.0.0.1:" + std::to_string(port);
  for (std::size_t i = 0; i < identities.size(); ++i) {
    act::Hello hello;
    hello.life = i + 1;
    hello.node = live::test::two_gpu_machine(name_of(static_cast<int>(i)));
    adapter::rpc::GrpcDialer dialer({server}, [&] { return identities[i]; });
    links.push_back(dialer.dial(hello, listener));
  }
  while (listener.leases < static_cast<long>(links.size())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::printf("%zu agents are connected\n", links.size());
  std::fflush(stdout);
  auto next = std::chrono::steady_clock::now();
  for (int second = 1; second <= for_seconds; ++second) {
    // Spread over the second, as agents that were not started together are.
    for (std::size_t i = 0; i < links.size(); ++i) {
      links[i]->say(act::Beat{static_cast<std::uint64_t>(second)});
      next += std::chrono::nanoseconds(1'000'000'000 / links.size());
      std::this_thread::sleep_until(next);
    }
  }
  std::printf("%ld leases for %zu beats\n", listener.leases.load(),
              links.size() * static_cast<std::size_t>(for_seconds + 1));
  std::fflush(stdout);
  listener.ending = true;
  _exit(0);
}

double processor_s() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto s = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return s(used.ru_utime) + s(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const int agents = argc > 1 ? std::atoi(argv[1]) : 2000;
  const int for_seconds = argc > 2 ? std::atoi(argv[2]) : 30;
  const std::string folder =
      std::filesystem::temp_directory_path() / ("gyre-bench-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  auto authority = Authority::open({folder, seconds(86'400)});
  GYRE_ASSERT(authority);
  std::vector<Identity> identities;
  for (int i = 0; i < agents; ++i) identities.push_back(member(**authority, i));

  int port_pipe[2];
  GYRE_ASSERT(pipe(port_pipe) == 0);
  const pid_t child = fork();  // before gRPC has any thread
  if (child == 0) {
    int port = 0;
    GYRE_ASSERT(read(port_pipe[0], &port, sizeof port) == sizeof port);
    run_agents(identities, port, for_seconds);
  }

  const double prepared = processor_s();
  live::test::Server server;
  server.start();
  auto identity = (*authority)->server_identity();
  GYRE_ASSERT(identity);
  auto door = adapter::rpc::AgentServer::start(
      {.address = "127.0.0.1:0",
       .identity = {identity->certificate_pem, identity->key_pem, (*authority)->certificate_pem()},
       .is_held = [](const std::string&) { return false; }},
      server.fleet, **authority);
  GYRE_ASSERT(door);
  const int port = (*door)->port();
  GYRE_ASSERT(write(port_pipe[1], &port, sizeof port) == sizeof port);
  while (server.fleet.facts().size() < static_cast<std::size_t>(agents)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const double joined = processor_s() - prepared;
  const auto begin = std::chrono::steady_clock::now();
  waitpid(child, nullptr, 0);
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double used = processor_s() - prepared - joined;
  rusage peak{};
  getrusage(RUSAGE_SELF, &peak);
  std::printf(
      "%d agents, 1 Hz: %.1f %% of one processor over %.0f s (%.0f us a beat); "
      "%.1f s of processor time until all had come; %ld MiB at most\n",
      agents, 100 * used / wall, wall, 1e6 * used / (static_cast<double>(agents) * wall), joined,
      peak.ru_maxrss / 1024);
  std::filesystem::remove_all(folder);
  door->reset();
  return 0;
}
