#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "server/api/core_counts.h"
#include "server/api/gpu_watch.h"
#include "server/api/task_exits.h"
#include "server/api/task_uses.h"
#include "server/api/usage_watch.h"
#include "server/http/message.h"

namespace gyre::server {

/// How long requests take from their last byte to their answer. Thread-safe, without locks.
class HttpTimes {
 public:
  /// Upper bounds in microseconds; the last bucket has none.
  static constexpr std::array<std::int64_t, 13> kBoundsUs{
      500,     1'000,   2'500,   5'000,     10'000,    25'000,   50'000,
      100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000};
  static constexpr std::array<std::string_view, 3> kMethods{"GET", "POST", "other"};

  /// A reply that notes when it is first called, and calls `reply`.
  http::Reply timed(const http::Request& request, http::Reply reply);

  struct Read {
    std::array<std::uint64_t, kBoundsUs.size() + 1> buckets{};  // not cumulative
    std::uint64_t sum_us = 0;
  };
  Read read(std::size_t method) const;  // index into kMethods

 private:
  struct Counts {
    std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> buckets{};
    std::atomic<std::uint64_t> sum_us = 0;
  };
  void add(std::size_t method, std::int64_t us);

  std::array<Counts, kMethods.size()> counts_;
};

/// All that is measured beside the core's own state. Thread-safe, but for `usage`.
struct Telemetry final : control::Observer {
  explicit Telemetry(const control::Controller& begun) : core(begun), usage(begun, gpus) {}

  void before(const Event& event) override { core.before(event); }
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& now) override {
    core.after(event, decisions, now);
    usage.after(event, decisions, now);
    exits.after(event, now);
  }
  void committed(EventSeq seq) override { core.committed(seq); }

  GpuWatch gpus;
  TaskUses uses;
  HttpTimes http;
  CoreCounts core;
  UsageWatch usage;  // the driver's thread only
  TaskExits exits;   // and this
};

}  // namespace gyre::server
