#include "adapter/nvml/probe.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "adapter/nvml/library.h"
#include "adapter/nvml/session.h"

namespace gyre::nvml {

namespace {

/// Keeps what threads that did not come back use, to the end of the process.
void keep_for_the_stuck(std::shared_ptr<void> used) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(used));
}

}  // namespace

struct Probe::Impl {
  /// A session with its thread. One that is stuck is left behind, with all that it uses.
  struct Runner {
    std::unique_ptr<Session> session;
    std::thread thread;
    int stuck_about = -1;
  };

  Impl(std::unique_ptr<Library> loaded, const ProbeOptions& wanted, std::size_t count, Report to)
      : library(std::move(loaded)), options(wanted), report(std::move(to)), gpus(count) {}

  void watch();
  void begin_session();
  void leave_behind(int about);
  bool take_back();
  void collect();
  void end();

  std::unique_ptr<Library> library;
  const ProbeOptions options;
  const Report report;
  std::vector<ProbedGpu> gpus;
  std::vector<std::uint64_t> looks;
  std::vector<std::int64_t> xids_before;  // of earlier sessions
  Runner current;
  std::vector<Runner> behind;
  std::mutex mutex;
  std::condition_variable wake;
  bool ending = false;
  std::thread watcher;
};

void Probe::Impl::begin_session() {
  std::vector<bool> skipped(gpus.size(), false);
  for (const Runner& runner : behind) {
    if (runner.stuck_about >= 0) skipped[static_cast<std::size_t>(runner.stuck_about)] = true;
  }
  if (behind.size() > options.stuck_max) return;
  if (!skipped.empty() && std::all_of(skipped.begin(), skipped.end(), [](bool s) { return s; })) {
    return;
  }
  looks.assign(gpus.size(), 0);
  xids_before.clear();
  for (const ProbedGpu& gpu : gpus) xids_before.push_back(gpu.sample.xids);
  current.session = std::make_unique<Session>(*library, std::move(skipped));
  current.stuck_about = -1;
  current.thread = std::thread([this, session = current.session.get()] {
    session->run(options.period, options.slow_period);
  });
}

void Probe::Impl::leave_behind(int about) {
  current.session->ask_to_end();
  current.stuck_about = about;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (about >= 0 && static_cast<int>(i) != about) continue;
    gpus[i].sample.health = GpuHealth::Unknown;
    gpus[i].fresh = true;
  }
  behind.push_back(std::exchange(current, {}));
}

/// Joins threads that have come back; true if one of them gives a device back that was skipped.
bool Probe::Impl::take_back() {
  const auto back = std::partition(behind.begin(), behind.end(), [](const Runner& runner) {
    return !runner.session->has_ended();
  });
  const bool any =
      std::any_of(back, behind.end(), [](const Runner& runner) { return runner.stuck_about >= 0; });
  for (auto runner = back; runner != behind.end(); ++runner) runner->thread.join();
  behind.erase(back, behind.end());
  return any;
}

void Probe::Impl::collect() {
  if (!current.session) return;
  auto devices = current.session->read();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].looks == looks[i]) continue;
    looks[i] = devices[i].looks;
    if (!devices[i].facts.uuid.empty()) gpus[i].facts = std::move(devices[i].facts);
    // Xids are remembered over all sessions; a new one begins without any.
    const auto last_xid = gpus[i].sample[GpuMetric::LastXid];
    gpus[i].sample = std::move(devices[i].sample);
    gpus[i].sample.xids += xids_before[i];
    auto& xid = gpus[i].sample[GpuMetric::LastXid];
    if (!xid) xid = last_xid;
    gpus[i].fresh = true;
  }
}

void Probe::Impl::watch() {
  const auto slice = std::chrono::nanoseconds(std::min(options.period.ns, options.call_max.ns) / 2);
  std::int64_t next_report = 0;
  std::unique_lock lock(mutex);
  while (!wake.wait_for(lock, slice, [this] { return ending; })) {
    bool fault = false;
    if (current.session) {
      const Session::Stuck stuck = current.session->stuck(options.call_max);
      if (stuck.stuck) leave_behind(stuck.device);
      fault = stuck.stuck;
    }
    if (take_back() && current.session) {  // begin anew, with the device that answers again
      current.session->ask_to_end();
      behind.push_back(std::exchange(current, {}));
    }
    if (!current.session) begin_session();
    collect();
    if (!fault && monotonic_ns() < next_report) continue;
    next_report = monotonic_ns() + options.period.ns - slice.count() / 2;
    report(gpus);
    for (ProbedGpu& gpu : gpus) gpu.fresh = false;
  }
  lock.unlock();
  end();
}

void Probe::Impl::end() {
  if (current.session) behind.push_back(std::exchange(current, {}));
  for (Runner& runner : behind) runner.session->ask_to_end();
  const std::int64_t until = monotonic_ns() + seconds(1).ns;
  bool left = false;
  for (Runner& runner : behind) {
    while (!runner.session->has_ended() && monotonic_ns() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (runner.session->has_ended()) {
      runner.thread.join();
      continue;
    }
    left = true;
    runner.thread.detach();
    keep_for_the_stuck(std::move(runner.session));
  }
  if (left) {
    keep_for_the_stuck(std::move(library));
  } else {
    library->shutdown();
  }
}

Result<std::unique_ptr<Probe>> Probe::start(const ProbeOptions& options, std::size_t count,
                                            Report report) {
  auto loaded = Library::load(options.library);
  if (!loaded) return tl::unexpected(loaded.error());
  auto library = std::make_unique<Library>(std::move(*loaded));
  if (const int code = library->init(); code != kSuccess) return library->failed("start", code);
  auto impl = std::make_unique<Impl>(std::move(library), options, count, std::move(report));
  for (std::size_t i = 0; i < count; ++i) {
    impl->gpus[i].facts.index = static_cast<std::int32_t>(i);
    impl->gpus[i].sample.health = GpuHealth::Unknown;
  }
  impl->watcher = std::thread([raw = impl.get()] { raw->watch(); });
  return std::unique_ptr<Probe>(new Probe(std::move(impl)));
}

Probe::Probe(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Probe::~Probe() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_one();
  impl_->watcher.join();
}

}  // namespace gyre::nvml
