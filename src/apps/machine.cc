#include "apps/machine.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <random>
#include <utility>

#include "adapter/process/machine.h"
#include "apps/gpus.h"
#include "base/units.h"
#include "cli/print.h"

namespace gyre::apps {

void say(const std::string& line) { fmt::print(stderr, "{}\n", cli::terminal_safe(line)); }

void introduce(const NodeSpec& node, const act::GpuSet& gpus,
               const std::vector<std::string>& enforced) {
  std::string line =
      fmt::format("node {}: {:.15g} CPU, {}", node.name, static_cast<double>(node.cpu.value) / 1000,
                  format_memory(node.memory));
  if (node.gpus > 0) {
    line +=
        fmt::format(", {} x {}{}{}", node.gpus, node.gpu_model,
                    node.gpu_memory.value > 0 ? " " + format_memory(node.gpu_memory) : "",
                    node.virtual_gpus ? " (virtual: declared, with no device behind them)" : "");
    line += fmt::format(", {}", sharing_text(node.gpu_sharing, node.gpu_model, node.gpu_memory));
  } else {
    line += ", no GPU found ('--virtual-gpus 8xH100:80GB' declares some)";
  }
  say(line);
  for (const std::string& left_out : gpus.left_out) say("  " + left_out);
  for (const std::string& line_of : enforced) say("  " + line_of);
}

act::Hello hello_of(const NodeSpec& node, const act::GpuSet& gpus, std::string address) {
  std::random_device chance;
  act::Hello hello;
  hello.life = std::uint64_t{chance()} << 32U;
  hello.life |= chance();
  hello.node = node;
  hello.devices = gpus.devices;
  hello.facts = process::read_facts();
  hello.facts.address = std::move(address);
  hello.facts.gpu_driver = gpus.driver;
  hello.facts.gpu_links = gpus.links;
  return hello;
}

}  // namespace gyre::apps
