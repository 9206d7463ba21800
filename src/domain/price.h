#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre {

/// What an hour of what a task holds costs.
struct PriceList {
  struct Model {
    std::string model;  // as nodes call it
    Money gpu_hour;
    bool operator==(const Model&) const = default;
  };
  Money gpu_hour;             // of a GPU of any other model; a share of one costs its part
  std::vector<Model> models;  // each once
  Money cpu_hour;             // of a core
  Money memory_hour;          // of a GiB

  bool operator==(const PriceList&) const = default;
};
inline constexpr Money kPriceMax{1'000'000'000};
inline constexpr std::size_t kPricedModelsMax = 1'000;

/// Errors: a price below 0 or above kPriceMax, a model twice or without a name.
Result<void> validate(const PriceList& prices);
Money gpu_hour_of(const PriceList& prices, std::string_view model);

/// From `from` on these prices are in force; without any nothing is charged.
struct PriceChange {
  Time from;
  std::optional<PriceList> prices;
  bool operator==(const PriceChange&) const = default;
};

/// What one task held from `from` to `to`.
struct HeldTime {
  JobId job;
  std::string tenant;
  std::string queue;
  std::string gpu_model;
  std::int64_t gpu_milli = 0;  // of all its devices
  CpuMilli cpu;
  MemoryMib memory;
  Time from;
  Time to;
  bool operator==(const HeldTime&) const = default;
};

/// Money, and the GPU time that it is for.
struct Charge {
  Money amount;
  std::int64_t gpu_us = 0;  // microseconds of a whole GPU

  constexpr Charge& operator+=(const Charge& o) {
    amount += o.amount;
    gpu_us += o.gpu_us;
    return *this;
  }
  friend constexpr Charge operator-(const Charge& a, const Charge& b) {
    return {a.amount - b.amount, a.gpu_us - b.gpu_us};
  }
  bool operator==(const Charge&) const = default;
};
struct JobCharge {
  JobId job;
  Charge charge;
  bool operator==(const JobCharge&) const = default;
};
/// What was held in one hour, told apart no further.
struct HourCharge {
  std::int64_t hour = 0;  // since the world's origin
  std::string tenant;
  std::string queue;
  Charge charge;
  bool operator==(const HourCharge&) const = default;
};

/// All that a ledger remembers.
struct LedgerState {
  std::vector<PriceChange> prices;  // by time
  std::vector<HeldTime> held;       // in the order in which it was given back
  std::vector<JobCharge> jobs;      // by id: for all that each has given back
  std::vector<HourCharge> hours;    // by hour, tenant and queue
  std::optional<Time> forgotten;    // nothing is known of what was held before
  bool operator==(const LedgerState&) const = default;
};

}  // namespace gyre
