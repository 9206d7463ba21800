#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "act/agent_protocol.h"
#include "act/image_store.h"
#include "base/result.h"

namespace gyre::agent {

/// A node's images, for its server: what there is, and what is to be fetched before a task needs
/// it, one at a time on a thread of its own. What a task waits for is fetched beside it. Ends
/// before who listens, and gives up what it is fetching. Thread-safe.
class Images {
 public:
  static constexpr std::size_t kWaitingMax = 16;

  struct Options {
    std::string why_not;  // no container can run here; empty: one can
    /// What a secret of that name holds, see act::ImagePull.
    std::function<Result<std::optional<std::string>>(const std::string&)> logins;
  };
  /// `store` outlives it.
  Images(act::ImageStore& store, Options options);
  ~Images();
  Images(const Images&) = delete;
  Images& operator=(const Images&) = delete;

  /// Who is told of outcomes, on its thread. Requires: called once, before fetch().
  void listen(std::function<void(act::ImageFetched)> listener);

  /// Returns at once. What waits or is under way is not taken twice.
  void fetch(const act::FetchImage& order);

  act::ImagesHeld held() const { return {store_.held()}; }
  std::uint64_t version() const { return store_.held_version(); }

 private:
  void run();
  std::string try_to_fetch(const act::FetchImage& order);
  bool is_over();

  act::ImageStore& store_;
  const Options options_;
  std::function<void(act::ImageFetched)> listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<act::FetchImage> waiting_;  // the first is under way
  bool quit_ = false;
  std::thread thread_;
};

}  // namespace gyre::agent
