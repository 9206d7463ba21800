#include "sim/traces/fleet.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

constexpr std::int32_t kPhillyGpusPerNode = 8;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || at != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

struct Part {
  std::int64_t nodes = 0;
  std::int64_t gpus = 0;
  std::string_view model;
};

/// "32x8:V100"; nullopt if it does not read as that.
std::optional<Part> parse_part(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos || cross > colon) return std::nullopt;
  const auto nodes = whole_number(text.substr(0, cross));
  const auto gpus = whole_number(text.substr(cross + 1, colon - cross - 1));
  if (!nodes || !gpus) return std::nullopt;
  if (colon == text.size()) return Part{*nodes, *gpus, {}};
  const std::string_view model = text.substr(colon + 1);
  if (model.empty() || model.find_first_of("/|: ") != std::string_view::npos) return std::nullopt;
  return Part{*nodes, *gpus, model};
}

std::optional<std::vector<Part>> parse_parts(std::string_view shape) {
  std::vector<Part> parts;
  for (bool more = true; more;) {
    const std::size_t comma = shape.find(',');
    more = comma != std::string_view::npos;
    const auto part = parse_part(shape.substr(0, comma));
    if (!part) return std::nullopt;
    parts.push_back(*part);
    if (more) shape.remove_prefix(comma + 1);
  }
  return parts;
}

Result<void> check(const std::vector<Part>& parts, std::string_view shape) {
  std::int64_t nodes = 0;
  for (const Part& part : parts) {
    if (part.nodes < 1 || part.nodes > kNodesMax || nodes + part.nodes > kNodesMax) {
      return fail(ErrorKind::Invalid, "the shape '{}' has no node, or more than {}", shape,
                  kNodesMax);
    }
    if (part.gpus < 1 || part.gpus > kGpusPerNodeMax) {
      return fail(ErrorKind::Invalid,
                  "the shape '{}' asks for {} GPUs on a node; 1 to {} is "
                  "possible",
                  shape, part.gpus, kGpusPerNodeMax);
    }
    nodes += part.nodes;
  }
  return {};
}

Fleet build(const std::vector<Part>& parts) {
  Fleet fleet;
  for (const Part& part : parts) {
    for (std::int64_t i = 0; i < part.nodes; ++i) {
      fleet.nodes.push_back({fmt::format("node-{}", fleet.nodes.size()), "",
                             std::string(part.model), static_cast<std::int32_t>(part.gpus),
                             MemoryMib{0}, kAmpleCpu, kAmpleMemory, false});
    }
  }
  return fleet;
}

enum Column : std::size_t {
  Name,
  Gpus,
  Model,
  GpuMemory,
  Cores,
  CoreMilli,
  Memory,
  PartitionName,
  Region,
  Zone,
  Rack,
  Nvlink,
};

const std::array<ColumnSpec, 12>& node_columns() {
  static const std::array<ColumnSpec, 12> kColumns{{{{"name", "sn", "node_name"}, true},
                                                    {{"gpus", "gpu", "gpu_capacity_num"}, true},
                                                    {{"gpu_model", "model"}},
                                                    {{"gpu_memory"}},
                                                    {{"cpu", "cpu_num"}},
                                                    {{"cpu_milli"}},
                                                    {{"memory", "memory_mib"}},
                                                    {{"partition"}},
                                                    {{"region"}},
                                                    {{"zone"}},
                                                    {{"rack"}},
                                                    {{"nvlink"}}}};
  return kColumns;
}

Result<void> read_host(const Table& table, NodeSpec& node) {
  node.cpu = kAmpleCpu;
  node.memory = kAmpleMemory;
  if (!table.empty(Cores)) {
    const auto cores = table.cpu(Cores);
    if (!cores) return tl::unexpected(cores.error());
    node.cpu = *cores;
  } else if (!table.empty(CoreMilli)) {
    const auto milli = table.integer(CoreMilli, 0, 1'000'000'000);
    if (!milli) return tl::unexpected(milli.error());
    node.cpu = CpuMilli{*milli};
  }
  if (!table.empty(Memory)) {
    const auto memory = table.memory(Memory);
    if (!memory) return tl::unexpected(memory.error());
    node.memory = *memory;
  }
  if (!table.empty(GpuMemory)) {
    const auto memory = table.memory(GpuMemory);
    if (!memory) return tl::unexpected(memory.error());
    node.gpu_memory = *memory;
  }
  return {};
}

Result<NodeSpec> read_node(const Table& table) {
  NodeSpec node;
  node.name = table.text(Name);
  if (node.name.empty()) return table.fail_row("the node has no name");
  const auto gpus = table.integer(Gpus, 0, kGpusPerNodeMax);
  if (!gpus) return tl::unexpected(gpus.error());
  node.gpus = static_cast<std::int32_t>(*gpus);
  if (node.gpus > 0) node.gpu_model = table.text(Model);
  node.partition = table.text(PartitionName);
  node.location = {std::string(table.text(Region)), std::string(table.text(Zone)),
                   std::string(table.text(Rack)), std::string(table.text(Nvlink))};
  if (auto done = read_host(table, node); !done) return tl::unexpected(done.error());
  return node;
}

Result<Fleet> read_nodes(Table& table) {
  if (auto done = table.bind(node_columns()); !done) return tl::unexpected(done.error());
  Fleet fleet;
  std::map<std::string, std::uint64_t> line_of_name;
  while (true) {
    const auto more = table.next();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    auto node = read_node(table);
    if (!node) return tl::unexpected(node.error());
    const auto [found, is_new] = line_of_name.try_emplace(node->name, table.line());
    if (!is_new) {
      return table.fail_row("the node '{}' is already in line {}", node->name, found->second);
    }
    if (fleet.nodes.size() == kNodesMax) return table.fail_row("over {} nodes", kNodesMax);
    fleet.partitioned = fleet.partitioned || !node->partition.empty();
    fleet.nodes.push_back(std::move(*node));
  }
  const std::vector<std::string> unused = table.unused_columns();
  if (!unused.empty()) {
    fleet.notes.push_back(
        fmt::format("columns of {} that were not used: {}", table.name(), fmt::join(unused, ", ")));
  }
  return fleet;
}

/// philly_vc.csv: a virtual cluster a row.
Result<Fleet> read_virtual_clusters(Table& table) {
  const std::array<ColumnSpec, 2> columns{{{{"vc"}, true}, {{"node num"}, true}}};
  if (auto done = table.bind(columns); !done) return tl::unexpected(done.error());
  Fleet fleet;
  fleet.partitioned = true;
  std::map<std::string, std::uint64_t, std::less<>> line_of_name;
  while (true) {
    const auto more = table.next();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    const std::string name(table.text(0));
    if (name.empty()) return table.fail_row("the virtual cluster has no name");
    const auto count =
        table.integer(1, 0, kNodesMax - static_cast<std::int64_t>(fleet.nodes.size()));
    if (!count) return tl::unexpected(count.error());
    const auto [found, is_new] = line_of_name.try_emplace(name, table.line());
    if (!is_new) {
      return table.fail_row("the virtual cluster '{}' is already in line {}", name, found->second);
    }
    for (std::int64_t i = 0; i < *count; ++i) {
      fleet.nodes.push_back({fmt::format("{}-{}", name, i), name, "", kPhillyGpusPerNode,
                             MemoryMib{0}, kAmpleCpu, kAmpleMemory, false});
    }
  }
  return fleet;
}

}  // namespace

Result<Fleet> parse_shape(std::string_view shape) {
  const auto parts = parse_parts(shape);
  if (!parts) {
    return fail(ErrorKind::Invalid,
                "'{}' is no shape: write NODESxGPUS[:MODEL], as in 32x8:V100 "
                "or 10x8:A100,4x4:T4",
                shape);
  }
  if (auto checked = check(*parts, shape); !checked) return tl::unexpected(checked.error());
  return build(*parts);
}

Result<void> check_shape(std::string_view nodes) {
  const auto parts = parse_parts(nodes);
  return parts ? check(*parts, nodes) : Result<void>();
}

Result<Fleet> read_node_list(std::unique_ptr<ByteSource> source, std::string name) {
  Result<Table> table = Table::open(std::move(source), std::move(name));
  if (!table) return tl::unexpected(table.error());
  const bool is_clusters = table->has_column("vc") && table->has_column("node num");
  Result<Fleet> fleet = is_clusters ? read_virtual_clusters(*table) : read_nodes(*table);
  if (fleet && fleet->nodes.empty()) {
    return fail(ErrorKind::Invalid, "{}: there is a header but no node", table->name());
  }
  return fleet;
}

Result<Fleet> read_fleet(const std::string& nodes) {
  if (parse_parts(nodes)) return parse_shape(nodes);
  auto source = open_source(nodes);
  if (!source) {
    return fail(ErrorKind::Invalid,
                "{}; as a shape it would read NODESxGPUS[:MODEL], as in "
                "32x8:V100",
                source.error().message);
  }
  return read_node_list(std::move(*source), display_name(nodes));
}

}  // namespace gyre::sim
