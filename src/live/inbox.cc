#include "live/inbox.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <utility>

namespace gyre::live {
namespace {

Error shutting_down() {
  return {ErrorKind::Unavailable, "the server is shutting down; ask again when it is back"};
}

Error full(const char* what, std::size_t limit) {
  return {
      ErrorKind::Unavailable,
      fmt::format("the server is busy: {} {} wait already; try again in a moment", limit, what)};
}

bool is_unbounded(const Inbox::Request& request) {
  return std::holds_alternative<Inbox::TaskReport>(request) ||
         std::holds_alternative<Inbox::Arrival>(request) ||
         std::holds_alternative<Inbox::ImagesReport>(request);
}

}  // namespace

/// None if there is room for one more; else tells it.
template <class T>
bool Inbox::refuses(const Done<T>& done) {
  std::optional<Error> refusal;
  {
    const std::lock_guard guard(mutex_);
    if (shut_) {
      refusal = shutting_down();
    } else if (closed_ && done) {
      refusal = closed_;
    } else if (requests_.size() - unbounded_ >= limits_.requests_max) {
      refusal = full("requests", limits_.requests_max);
    }
  }
  if (refusal && done) done(tl::unexpected(*refusal));
  return refusal.has_value();
}

void Inbox::put(Request request) {
  {
    const std::lock_guard guard(mutex_);
    if (is_unbounded(request)) ++unbounded_;
    requests_.push_back(std::move(request));
  }
  changed_.notify_one();
}

void Inbox::submit(JobSpec spec, std::string submission_key, Done<JobId> done) {
  if (refuses(done)) return;
  put(Submission{std::move(spec), std::move(submission_key), std::move(done)});
}

void Inbox::post(Event::Body body, Done<EventSeq> done) {
  if (refuses(done)) return;
  put(Posting{std::move(body), std::move(done)});
}

Result<void> Inbox::ask(Query query) {
  {
    const std::lock_guard guard(mutex_);
    if (shut_) return tl::unexpected(shutting_down());
    if (closed_) return tl::unexpected(*closed_);
    if (queries_.size() >= limits_.queries_max) {
      return tl::unexpected(full("queries", limits_.queries_max));
    }
    queries_.push_back(std::move(query));
  }
  changed_.notify_one();
  return {};
}

void Inbox::close(const Error& why) {
  std::deque<Request> refused;
  {
    const std::lock_guard guard(mutex_);
    closed_ = why;
    const auto has_somebody = [](const Request& request) {
      const auto* posting = std::get_if<Posting>(&request);
      return std::holds_alternative<Submission>(request) || (posting != nullptr && posting->done);
    };
    const auto first =
        std::stable_partition(requests_.begin(), requests_.end(), std::not_fn(has_somebody));
    refused.insert(refused.end(), std::make_move_iterator(first),
                   std::make_move_iterator(requests_.end()));
    requests_.erase(first, requests_.end());
  }
  for (Request& request : refused) {
    if (auto* submission = std::get_if<Submission>(&request)) submission->done(tl::unexpected(why));
    if (auto* posting = std::get_if<Posting>(&request)) posting->done(tl::unexpected(why));
  }
}

void Inbox::reopen() {
  const std::lock_guard guard(mutex_);
  closed_.reset();
}

bool Inbox::wait_for_shutdown(Duration wait_max) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(wait_max.ns), [this] { return shut_; });
}

void Inbox::shutdown() {
  {
    const std::lock_guard guard(mutex_);
    shut_ = true;
  }
  changed_.notify_one();
}

std::optional<Inbox::Request> Inbox::take() {
  const std::lock_guard guard(mutex_);
  if (requests_.empty()) return std::nullopt;
  std::optional<Request> request(std::move(requests_.front()));
  requests_.pop_front();
  if (is_unbounded(*request)) --unbounded_;
  return request;
}

std::deque<Query> Inbox::take_queries() {
  const std::lock_guard guard(mutex_);
  return std::exchange(queries_, {});
}

void Inbox::wait(std::optional<Duration> wait_max) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return has_any(); };
  if (!wait_max) return changed_.wait(lock, ready);
  changed_.wait_for(lock, std::chrono::nanoseconds(wait_max->ns), ready);
}

bool Inbox::is_over() const {
  const std::lock_guard guard(mutex_);
  return shut_ && requests_.empty() && queries_.empty();
}

}  // namespace gyre::live
