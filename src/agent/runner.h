#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "act/agent_protocol.h"
#include "agent/agent.h"
#include "agent/link.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"

namespace gyre::agent {

/// What a runner's notice is when it is connected; it is told once after each break.
inline constexpr const char* kConnected = "connected";

struct RunnerOptions {
  Duration beat = seconds(1);
  Duration backoff_min = milliseconds(200);  // before the first try anew; doubles each time
  Duration backoff_max = seconds(10);
  std::uint64_t seed = 0;  // of the jitter, so that a fleet does not come back all at once
  std::function<act::Hello()> hello;  // all but tasks and logs
  std::function<void(Time)> lease;    // tasks may run until then, by the boot clock
  std::function<Result<void>(std::uint64_t)> accepts;  // a server of that term; empty: of any
  std::function<void(const std::string&)> notice;      // one line for a person
};

/// Keeps an agent connected: dials, beats, passes orders on, and dials again when a link breaks.
/// run() is its thread.
class Runner final : public LinkListener {
 public:
  /// The others outlive it.
  Runner(Agent& agent, Dialer& dialer, RunnerOptions options);

  /// Until stop(). Tasks go on.
  void run();
  /// Callable from any thread.
  void stop();

  void received(act::Order order) override;
  void broke(const Error& why) override;

 private:
  void stay_connected();
  void wait_before_dialing();
  void obey(const act::Order& order);
  void refuse_server(const Error& why);
  void report_break(const Error& why);

  Agent& agent_;
  Dialer& dialer_;
  const RunnerOptions options_;
  Rng rng_;
  int failures_ = 0;  // in a row
  std::string last_notice_;
  std::deque<Time> sent_;  // when each beat was, the first is number first_sent_
  std::uint64_t first_sent_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<act::Order> orders_;
  std::optional<Error> broken_;
  bool stop_ = false;
  bool refused_ = false;  // the server: what it says counts no more
};

}  // namespace gyre::agent
