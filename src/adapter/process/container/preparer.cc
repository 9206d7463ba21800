#include "adapter/process/container/preparer.h"

#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

/// So many images are fetched at a time.
constexpr int kThreads = 4;

}  // namespace

Preparer::Preparer(act::ImageStore* images, const ContainerHost& host,
                   std::function<void(Outcome)> done)
    : images_(images), host_(host), done_(std::move(done)) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

Preparer::~Preparer() {
  {
    const std::lock_guard guard(mutex_);
    quit_ = true;
    known_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Preparer::take(const act::TaskStart& task) {
  {
    const std::lock_guard guard(mutex_);
    if (!known_.insert(task.key).second) return;
    waiting_.push_back({task, unix_now(), monotonic_now()});
  }
  changed_.notify_one();
}

void Preparer::cancel(const act::TaskKey& key) {
  const std::lock_guard guard(mutex_);
  known_.erase(key);
}

bool Preparer::is_cancelled(const act::TaskKey& key) {
  const std::lock_guard guard(mutex_);
  return !known_.contains(key);
}

void Preparer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return quit_ || !waiting_.empty(); });
    if (quit_) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    auto plan = prepare(work);
    const Duration image = monotonic_now() - work.asked_at;
    lock.lock();
    if (known_.erase(work.task.key) == 0) continue;
    // Under the lock: a cancel() comes either before this, or after it was handed on.
    done_({std::move(work.task), std::move(plan), work.received, work.asked_at, image});
  }
}

Result<ContainerPlan> Preparer::prepare(Work& work) {
  if (!host_.why_not().empty() || images_ == nullptr) {
    return fail(ErrorKind::Unsupported, "this node runs no containers: {}",
                images_ == nullptr ? "it has no store of images" : host_.why_not());
  }
  const auto ref = parse_image_ref(work.task.container.image);
  if (!ref) return tl::unexpected(ref.error());
  auto logins = host_.registry_logins(work.task.container.registry_login);
  if (!logins) return tl::unexpected(logins.error());
  const auto image =
      images_->prepare({*ref, std::move(*logins)}, [&] { return is_cancelled(work.task.key); });
  if (!image) {
    return fail(image.error().kind, "image {}: {}", to_string(*ref), image.error().message);
  }
  if (work.task.command.empty()) work.task.command = image->command;
  if (work.task.command.empty()) {
    return fail(ErrorKind::Invalid, "the image names no command of its own; the job must");
  }
  return host_.plan(work.task, *image);
}

}  // namespace gyre::process
