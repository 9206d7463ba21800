// What the GPU probe costs: CPU time of its own over half a minute, at its own pace, on eight
// devices of the driver that stands in. A real driver's share of each call comes on top.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "adapter/nvml/probe.h"
#include "server/api/gpu_watch.h"

namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void EightGpusOnceASecond(benchmark::State& state) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path script = fs::temp_directory_path() / ("gyre-bench-" + std::to_string(getpid()));
  {
    std::ofstream out(script);
    for (int i = 0; i < 8; ++i) {
      out << "device GPU-" << i << " 81920 9.0 00000000:0" << i << ":00.0 NVIDIA H100 80GB HBM3\n"
          << "set " << i << " gpm 1\nset " << i << " util 90\n";
    }
  }
  setenv("NVML_STAND_IN", script.c_str(), 1);
  gyre::server::GpuWatch watch;
  gyre::nvml::ProbeOptions options;
  options.library = folder / "nvml/libnvidia-ml.so.1";
  for (auto _ : state) {
    const auto probe = gyre::nvml::Probe::start(
        options, 8, [&](const auto& readings) { watch.report("node", readings); });
    if (!probe) {
      state.SkipWithError(probe.error().message.c_str());
      break;
    }
    const double cpu = cpu_seconds();
    const auto began = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(30));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const double used = cpu_seconds() - cpu;
    state.SetIterationTime(used);
    state.counters["percent_of_a_core"] = 100 * used / took.count();
  }
  fs::remove(script);
}
BENCHMARK(EightGpusOnceASecond)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
