#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"

namespace gyre::server {

/// One question to somebody who answers once, on any thread, and perhaps when nobody waits for it
/// any more. Used by one thread.
template <class T>
class Question {
 public:
  /// `ask` is called where nothing is asked yet, with a function that takes the answer. The answer,
  /// once it is there: the next call asks anew. Until then nullopt, and `wake` is called when it
  /// comes, on any thread.
  template <class Ask>
  std::optional<Result<T>> answer_to(Ask ask, const std::function<void()>& wake) {
    if (!open_) {
      open_ = std::make_shared<Open>();
      ask([open = open_](Result<T> answer) {
        std::function<void()> waiting;
        {
          const std::lock_guard guard(open->mutex);
          open->answer = std::move(answer);
          waiting = std::move(open->wake);
        }
        if (waiting) waiting();
      });
    }
    std::optional<Result<T>> answer;
    {
      const std::lock_guard guard(open_->mutex);
      answer = std::move(open_->answer);
      if (!answer) open_->wake = wake;
    }
    if (answer) open_.reset();
    return answer;
  }

  bool is_open() const { return open_ != nullptr; }

 private:
  struct Open {
    std::mutex mutex;
    std::optional<Result<T>> answer;
    std::function<void()> wake;  // set while somebody waits for it
  };
  std::shared_ptr<Open> open_;
};

}  // namespace gyre::server
