// What a scrape of /metrics takes where 1,250 nodes with 8 GPUs each are probed: over HTTP on
// loopback, from the request's first byte to the answer's last, while the core's thread does
// nothing else.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "live/fleet.h"
#include "live/inbox.h"
#include "server/api/api.h"
#include "server/http/server.h"

namespace {

using namespace gyre;

constexpr std::uint32_t kNodes = 1'250;
constexpr std::int32_t kGpus = 8;
constexpr std::uint64_t kJobs = 2'000;

/// A fleet whose GPUs are all told of, with jobs of four GPUs on it and more in line.
class Place {
 public:
  Place() {
    tell(PolicySet{named_policies().back()});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const std::string name = "gpu-node-" + std::to_string(i);
      tell(NodeJoined{NodeId{i}, {name, "", "H100", kGpus, {81'920}, {128'000}, {2'000'000}}});
      telemetry_.gpus.report(name, readings(i));
    }
    for (std::uint64_t i = 1; i <= kJobs + 1'000; ++i) {
      JobSpec spec;
      spec.name = "job-" + std::to_string(i);
      spec.tasks = {{1, {}}};
      spec.tasks[0].request.gpus = 4;
      tell(JobSubmitted{JobId{i}, spec, {}});
    }
    driver_ = std::thread([this] {
      while (!over_) {
        inbox_.wait(milliseconds(100));
        for (const live::Query& query : inbox_.take_queries()) query(core_);
      }
    });
    auto server = server::http::Server::start(
        {.port = 0}, {}, 2, [this](server::http::Request request, server::http::Reply reply) {
          api_.handle(std::move(request), std::move(reply));
        });
    http_ = std::move(*server);
  }
  ~Place() {
    http_->stop();
    over_ = true;
    driver_.join();
  }

  /// The bytes of the answer.
  std::size_t scrape() const {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string authority = http_->authority();
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(authority.substr(authority.rfind(':') + 1))));
    const std::string head =
        "GET /metrics HTTP/1.1\r\nHost: " + authority + "\r\nConnection: close\r\n\r\n";
    std::size_t bytes = 0;
    if (::connect(client, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
        ::send(client, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size())) {
      static std::vector<char> buffer(1U << 20U);
      for (ssize_t got = 1; got > 0;) {
        got = ::recv(client, buffer.data(), buffer.size(), 0);
        bytes += static_cast<std::size_t>(std::max<ssize_t>(0, got));
      }
    }
    ::close(client);
    return bytes;
  }

 private:
  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    telemetry_.before(event);
    const control::Decisions& decisions = core_.step(event);
    telemetry_.after(event, decisions, core_);
  }

  std::vector<GpuReading> readings(std::uint32_t node) const {
    std::vector<GpuReading> all(kGpus);
    for (std::int32_t i = 0; i < kGpus; ++i) {
      GpuReading& one = all[static_cast<std::size_t>(i)];
      one.facts.index = i;
      one.facts.uuid = "GPU-5c2a0f6e-0000-4000-8000-" + std::to_string(100'000'000 + node * 8) +
                       std::to_string(i);
      one.facts.bus_id = "00000000:1B:00.0";
      one.facts.product = "NVIDIA H100 80GB HBM3";
      one.facts.driver = "550.54.15";
      one.fresh = true;
      one.sample.at = now_;
      one.sample.health = GpuHealth::Ok;
      for (std::size_t m = 0; m < kGpuMetricCount; ++m) {
        one.sample.values[m] = static_cast<std::int64_t>(node * 31 + m * 7919);
      }
    }
    return all;
  }

  Time now_ = server::machine_time();
  std::uint64_t seq_ = 0;
  control::Controller core_{control::Config{}};
  live::Inbox inbox_;
  live::Fleet fleet_{inbox_, {}, [] { return Duration{}; }};
  server::Watch watch_{1'000, core_, now_};
  server::Telemetry telemetry_{core_};
  server::Api api_{inbox_, fleet_, watch_, [this] {
                     server::ApiOptions options;
                     options.telemetry = &telemetry_;
                     return options;
                   }()};
  std::unique_ptr<server::http::Server> http_;
  std::thread driver_;
  std::atomic<bool> over_ = false;
};

void ScrapeTenThousandGpus(benchmark::State& state) {
  const Place place;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = place.scrape();
  if (bytes < 1'000'000) state.SkipWithError("the answer is not what it should be");
  state.counters["megabytes"] = static_cast<double>(bytes) / 1e6;
}
BENCHMARK(ScrapeTenThousandGpus)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
