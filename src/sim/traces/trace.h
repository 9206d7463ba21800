#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/placement_rules.h"
#include "domain/topology.h"
#include "sim/traces/byte_source.h"

namespace gyre::sim {

/// What a job of a trace asks for, before it is split over nodes. Many jobs share one.
struct Demand {
  std::int32_t gpus = 0;                // of the whole job
  GpuMilli gpu_milli = kWholeGpu;       // of each; under 1000 only with gpus == 1
  std::vector<std::string> gpu_models;  // any of these; empty: any
  CpuMilli cpu{0};                      // of the whole job
  MemoryMib memory{0};                  // of the whole job
  std::int32_t nodes = 0;               // equal parts to split it into; 0: as few as can be
  std::optional<Topology> topology{};
  std::optional<PlacementRules> placement{};

  auto operator<=>(const Demand&) const = default;
};

inline constexpr Duration kEndless = Duration::max();

/// One job of a trace; 56 bytes.
struct TraceJob {
  Time submit;                      // since the trace's first arrival
  Duration duration;                // of its work; kEndless: never done
  Duration checkpoint_interval{0};  // 0: the trace names none
  std::uint32_t row = 0;            // index of its name
  std::uint32_t demand = 0;
  std::uint32_t queue = 0;
  std::uint32_t user = 0;
  std::int8_t priority = 0;
  bool preemptible = false;
  Duration declared = kEndless;  // by its submitter; kEndless: nothing
};

/// A trace in memory: jobs by submission (equal times in file order), and what they share.
struct Trace {
  std::string name;  // of the file, for messages and reports
  std::string format;
  std::vector<TraceJob> jobs;
  std::vector<std::string> names;  // by row
  std::vector<Demand> demands;
  std::vector<std::string> queues;  // in order of appearance
  std::vector<std::string> users;
  std::uint64_t skipped = 0;       // malformed rows
  std::vector<std::string> notes;  // what a reader of the results must know
};

struct TraceOptions {
  std::string format = "auto";                        // auto, openb, philly, csv
  std::optional<std::uint64_t> limit = std::nullopt;  // data rows read at most
  bool skip_bad_rows = false;  // count malformed rows instead of refusing them
};

/// Reads a trace of jobs; the formats are described in docs/guide/trace-formats.md. Rows need no
/// order. Errors: Invalid with file, line, column and what is wrong: no or an unknown header, a
/// malformed row, two jobs of one name, no job at all; Internal when the bytes cannot be had.
Result<Trace> read_trace(std::unique_ptr<ByteSource> source, std::string name,
                         const TraceOptions& options);

}  // namespace gyre::sim
