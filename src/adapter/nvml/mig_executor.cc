#include "adapter/nvml/mig_executor.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include "adapter/nvml/mig_keeper.h"

namespace gyre::nvml {

struct MigExecutor::Impl final : private act::TaskListener {
  struct TakeUp {
    std::set<std::string> running;
  };
  struct Stop {
    act::TaskKey key;
    act::StopOptions options;
  };
  struct Forget {
    act::TaskKey key;
  };
  using Work = std::variant<TakeUp, act::TaskStart, Stop, Forget>;

  Impl(MigOptions wanted, act::Executor& below) : options(std::move(wanted)), inner(below) {}

  void begin(act::TaskListener& told);
  void started(const act::TaskKey& key, const StartStages& stages) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;

  void post(Work item);
  void run();
  std::deque<Work> wait(bool leftovers);
  void carry_out(MigKeeper& keeper, const TakeUp& what) { keeper.take_up(what.running); }
  void carry_out(MigKeeper& keeper, act::TaskStart& task);
  void carry_out(MigKeeper& keeper, const Stop& stop);
  void carry_out(MigKeeper& keeper, const Forget& what) {
    keeper.take_back(act::to_string(what.key));
  }

  const MigOptions options;
  act::Executor& inner;
  act::TaskListener* listener = nullptr;
  std::mutex outside;   // held in calls of `inner` and `listener` by the thread
  bool closed = false;  // guarded by outside
  std::mutex mutex;     // guards all below
  std::condition_variable changed;
  std::deque<Work> work;
  std::set<act::TaskKey> pending;  // starts in `work` or under way
  std::set<act::TaskKey> begun;    // `inner` knows them
  bool ending = false;
  bool done = false;
  std::thread thread;
};

void MigExecutor::Impl::begin(act::TaskListener& told) {
  listener = &told;
  TakeUp first;
  for (const act::FoundTask& task : inner.found()) {
    begun.insert(task.key);
    if (!task.ended) first.running.insert(act::to_string(task.key));
  }
  work.emplace_back(std::move(first));
  inner.listen(*this);
}

void MigExecutor::Impl::started(const act::TaskKey& key, const StartStages& stages) {
  listener->started(key, stages);
}

void MigExecutor::Impl::ended(const act::TaskKey& key, const TaskExit& exit) {
  post(Forget{key});  // before anyone can start another in its place
  listener->ended(key, exit);
}

void MigExecutor::Impl::post(Work item) {
  {
    const std::lock_guard lock(mutex);
    work.push_back(std::move(item));
  }
  changed.notify_all();
}

/// What there is to do; nothing: it is time to look at what is left over.
std::deque<MigExecutor::Impl::Work> MigExecutor::Impl::wait(bool leftovers) {
  std::unique_lock lock(mutex);
  const auto ready = [this] { return ending || !work.empty(); };
  if (leftovers) {
    changed.wait_for(lock, std::chrono::nanoseconds(options.again.ns), ready);
  } else {
    changed.wait(lock, ready);
  }
  return std::exchange(work, {});
}

void MigExecutor::Impl::run() {
  MigKeeper keeper(options);
  for (;;) {
    auto items = wait(keeper.has_leftovers());
    {
      const std::lock_guard lock(mutex);
      if (ending) break;
    }
    for (Work& item : items) {
      std::visit([&](auto& what) { carry_out(keeper, what); }, item);
    }
    if (items.empty()) keeper.retry();
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  changed.notify_all();
}

void MigExecutor::Impl::carry_out(MigKeeper& keeper, act::TaskStart& task) {
  const act::TaskKey key = task.key;
  const auto given = keeper.give(task);
  const std::lock_guard calling(outside);
  if (closed) return;
  if (given) inner.start(task);
  {
    const std::lock_guard lock(mutex);
    pending.erase(key);
    if (given) begun.insert(key);
  }
  if (given) return;
  listener->ended(key, {TaskExit::Kind::StartFailed, 0, false, given.error().message});
}

void MigExecutor::Impl::carry_out(MigKeeper&, const Stop& stop) {
  const std::lock_guard calling(outside);
  if (!closed) inner.stop(stop.key, stop.options);
}

MigExecutor::MigExecutor(MigOptions options, act::Executor& inner)
    : impl_(std::make_shared<Impl>(std::move(options), inner)) {}

MigExecutor::~MigExecutor() { close(); }

void MigExecutor::close() {
  if (!impl_->thread.joinable()) return;
  std::unique_lock lock(impl_->mutex);
  impl_->ending = true;
  impl_->changed.notify_all();
  const auto patience = std::chrono::nanoseconds(impl_->options.close_max.ns);
  const bool done = impl_->changed.wait_for(lock, patience, [this] { return impl_->done; });
  lock.unlock();
  {
    const std::lock_guard calling(impl_->outside);
    impl_->closed = true;
  }
  if (done) {
    impl_->thread.join();
  } else {
    impl_->thread.detach();
  }
}

void MigExecutor::listen(act::TaskListener& listener) {
  impl_->begin(listener);
  impl_->thread = std::thread([impl = impl_] { impl->run(); });
}

void MigExecutor::start(const act::TaskStart& task) {
  const bool wants_one = task.gpu_sharing == Sharing::Mig && !task.gpu_devices.empty();
  {
    const std::lock_guard lock(impl_->mutex);
    const bool waits = impl_->pending.contains(task.key);
    if (waits) return;
    if (wants_one && !impl_->begun.contains(task.key)) {
      impl_->pending.insert(task.key);
      impl_->work.emplace_back(task);
      impl_->changed.notify_all();
      return;
    }
  }
  impl_->inner.start(task);
}

void MigExecutor::adopt(const act::TaskKey& key) { impl_->inner.adopt(key); }

void MigExecutor::stop(const act::TaskKey& key, const act::StopOptions& options) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->pending.contains(key)) {  // behind its start
      impl_->work.emplace_back(Impl::Stop{key, options});
      impl_->changed.notify_all();
      return;
    }
  }
  impl_->inner.stop(key, options);
}

void MigExecutor::freeze(const act::TaskKey& key, bool frozen) { impl_->inner.freeze(key, frozen); }

void MigExecutor::release(const act::TaskKey& key) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->begun.erase(key);
  }
  impl_->inner.release(key);
}

std::vector<act::FoundTask> MigExecutor::found() const { return impl_->inner.found(); }

void MigExecutor::discard(const act::TaskKey& key) {
  impl_->inner.discard(key);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->begun.erase(key);
  }
  impl_->post(Impl::Forget{key});
}

}  // namespace gyre::nvml
