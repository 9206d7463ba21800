#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/node.h"
#include "sim/traces/byte_source.h"

namespace gyre::sim {

inline constexpr std::int64_t kNodesMax = 200'000;

/// CPU and memory of a node whose source names none: more than any job of a public trace asks for,
/// so that GPUs alone decide.
inline constexpr CpuMilli kAmpleCpu{1'024'000};                   // 1,024 cores
inline constexpr MemoryMib kAmpleMemory{std::int64_t{16} << 20};  // 16 TiB

/// The nodes of a simulation. Where `partitioned`, a queue uses the partition of its own name;
/// else all share the one unnamed partition.
struct Fleet {
  std::vector<NodeSpec> nodes;  // by id
  bool partitioned = false;
  std::vector<std::string> notes;
};

/// "32x8:V100", "80x8", "10x8:A100,4x4:T4": NODESxGPUS[:MODEL], comma separated.
/// Errors: Invalid, with the grammar.
Result<Fleet> parse_shape(std::string_view shape);

/// Whether `nodes`, if it reads as a shape, is one that can be. Errors: Invalid.
Result<void> check_shape(std::string_view nodes);

/// A node list with a header: openb's (sn,cpu_milli,memory_mib,gpu,model), Gyre's own
/// (name,gpus[,gpu_model,gpu_memory,cpu,memory,partition]), or philly_vc.csv (vc,node num: nodes of
/// 8 GPUs in a partition of the virtual cluster's name). Errors: Invalid with file, line, column.
Result<Fleet> read_node_list(std::unique_ptr<ByteSource> source, std::string name);

/// What `--nodes` names: a shape if it reads as one, else a file.
Result<Fleet> read_fleet(const std::string& nodes);

}  // namespace gyre::sim
