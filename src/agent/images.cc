#include "agent/images.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/utf8.h"

namespace gyre::agent {

Images::Images(act::ImageStore& store, Options options)
    : store_(store), options_(std::move(options)), thread_([this] { run(); }) {}

Images::~Images() {
  {
    const std::lock_guard guard(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Images::listen(std::function<void(act::ImageFetched)> listener) {
  const std::lock_guard guard(mutex_);
  listener_ = std::move(listener);
}

void Images::fetch(const act::FetchImage& order) {
  {
    const std::lock_guard guard(mutex_);
    const bool known = std::find(waiting_.begin(), waiting_.end(), order) != waiting_.end();
    if (known || waiting_.size() >= kWaitingMax) return;
    waiting_.push_back(order);
  }
  changed_.notify_one();
}

bool Images::is_over() {
  const std::lock_guard guard(mutex_);
  return quit_;
}

void Images::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return quit_ || !waiting_.empty(); });
    if (quit_) return;
    const act::FetchImage order = waiting_.front();
    const auto listener = listener_;
    lock.unlock();
    const auto begun = std::chrono::steady_clock::now();
    std::string error = try_to_fetch(order);
    const auto took = std::chrono::steady_clock::now() - begun;
    error.resize(utf8_cut(error, act::kFetchErrorMax));
    const Duration time{std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()};
    if (listener && !is_over()) listener({order.image, time, std::move(error)});
    lock.lock();
    waiting_.pop_front();
  }
}

/// Empty: it is there.
std::string Images::try_to_fetch(const act::FetchImage& order) {
  if (!options_.why_not.empty()) return "this node runs no containers: " + options_.why_not;
  const auto image = parse_image_ref(order.image);
  if (!image) return image.error().message;
  act::ImagePull pull{*image};
  if (!order.login.empty()) {
    auto logins = options_.logins(order.login);
    if (!logins) return logins.error().message;
    pull.logins = std::move(*logins);
  }
  const auto prepared = store_.prepare(pull, [this] { return is_over(); });
  return prepared ? "" : prepared.error().message;
}

}  // namespace gyre::agent
