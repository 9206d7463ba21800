#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/chaos.h"
#include "sim/chaos/fault_plan.h"
#include "sim/chaos/services.h"
#include "sim/chaos/truth.h"
#include "sim/check/invariant.h"

namespace gyre::sim {

/// What became of one seed.
struct ChaosReport {
  std::uint64_t seed = 0;
  std::uint64_t nodes = 0;
  std::string policy;
  std::uint64_t events = 0;
  std::uint64_t commands = 0;
  std::uint64_t recoveries = 0;  // of the server from its journal
  std::uint64_t jobs = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::vector<std::uint64_t> faults;  // by ChaosFault::Kind
  std::uint64_t repairs = 0;          // of the hardware that healing ordered
  std::uint64_t replacements = 0;     // tasks of gangs that were started anew by themselves
  Time ended_at;                      // true time since the beginning
  std::uint64_t digest = 0;           // of every event and command; equal runs have equal ones
  std::vector<Violation> violations;  // the first few; empty: all held
};

/// The scenario with every share as it is with that seed.
ChaosSpec draw_shares(const ChaosSpec& scenario, std::uint64_t seed);

/// What a scenario comes to for one seed, before anything happens: for whoever breaks something
/// else than a simulated fleet by it.
struct ChaosPlan {
  std::uint32_t nodes = 1;
  std::int32_t gpus = 8;  // of each
  Duration lease{0};
  std::vector<ChaosJob> jobs;
  std::vector<ChaosService> services;
  ChaosNetwork network;
  std::vector<PlannedFault> faults;
};
/// The one that run_chaos() lives through.
ChaosPlan plan_chaos(const ChaosSpec& spec, std::uint64_t seed);

/// Lives a scenario through with one seed. Safety is checked after every event, by books of its own
/// and by what really runs; after the faults all must come to rest. Equal inputs give equal
/// reports. Requires: validate(spec). Pure; thread-safe. A day of 64 nodes takes some 0.1 s.
ChaosReport run_chaos(const ChaosSpec& spec, std::uint64_t seed);

}  // namespace gyre::sim
