#include "apps/agent.h"

#include "cli/outcome.h"

#ifdef GYRE_HAVE_ADAPTER_GRPC
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <optional>
#include <random>
#include <thread>

#include "act/local_node.h"
#include "adapter/process/artifacts/file_artifacts.h"
#include "adapter/process/file_logs.h"
#include "adapter/process/group_usage.h"
#include "adapter/process/lease.h"
#include "adapter/process/machine.h"
#include "adapter/process/node_repairs.h"
#include "adapter/process/program_text.h"
#include "adapter/process/term.h"
#include "agent/agent.h"
#include "agent/runner.h"
#include "apps/agent_log.h"
#include "apps/agent_metrics.h"
#include "apps/breakable_node.h"
#include "apps/ending.h"
#include "apps/gpus.h"
#include "apps/machine.h"
#include "apps/membership.h"
#include "apps/tasks.h"
#include "cli/state_folder.h"
#endif

namespace gyre::apps {

using cli::give_up;

#ifdef GYRE_HAVE_ADAPTER_GRPC
namespace {

cli::Failure failure(const Error& error) { return {cli::kError, error.message}; }

/// The node that this machine is, under the name that its certificate says.
NodeSpec node_spec(const std::string& name, const act::GpuSet& gpus,
                   const cli::AgentOptions& options) {
  act::Machine machine = process::read_machine();
  machine.name = name;
  if (options.share > 1) {
    machine.cpu = {machine.cpu.value / options.share};
    machine.memory = {machine.memory.value / options.share};
  }
  NodeSpec node = act::node_of(machine, gpus, "");
  for (const auto& [label, value] : options.labels) {
    for (std::size_t i = 0; i < kTopologyLevels; ++i) {
      const auto level = static_cast<TopologyLevel>(i);
      if (label == to_string(level)) node.location.at(level) = value;
    }
  }
  return node;
}

/// Null: none is wished for.
cli::Outcome<std::unique_ptr<server::JsonLines>> open_log(const std::string& path) {
  if (path.empty()) return nullptr;
  auto lines = server::JsonLines::open(path);
  if (!lines) return give_up(cli::kUsage, "--log: {}", lines.error().message);
  return std::move(*lines);
}

std::string images_path(const cli::StateFolder& folder) { return folder.path() + "/images"; }
std::string lease_path_of(const cli::StateFolder& folder) { return folder.path() + "/lease"; }

NodeOptions node_options(const cli::StateFolder& folder, const cli::NodeTerms& terms) {
  NodeOptions options;
  options.tasks = folder.tasks_path();
  options.images = images_path(folder);
  options.secrets = folder.path() + "/secrets";
  options.logins = folder.path() + "/registry-logins.json";
  options.lease = lease_path_of(folder);
  options.volumes = terms.volumes;
  options.devices = terms.devices;
  options.warm = static_cast<std::size_t>(terms.warm);
  options.log_max = terms.task_log;
  return options;
}

agent::RunnerOptions runner_options(const cli::AgentOptions& options, act::Hello hello,
                                    std::string lease_path, process::Term term) {
  std::random_device chance;
  agent::RunnerOptions runner;
  runner.seed = chance();
  runner.hello = [hello = std::move(hello), server = options.servers.front()]() mutable {
    // It may change from one connection to the next.
    hello.facts.address = process::address_towards(server);
    return hello;
  };
  const auto latest = std::make_shared<process::Term>(std::move(term));
  runner.accepts = [latest](std::uint64_t shown) { return latest->accept(shown); };
  runner.lease = [path = std::move(lease_path)](Time until) {
    if (const auto written = process::write_lease(path, until); !written) {
      say("warning: " + written.error().message);
    }
  };
  return runner;
}

/// What repairs this machine's hardware; `watch` lets go of the GPUs meanwhile.
cli::Outcome<std::unique_ptr<process::NodeRepairs>> open_repairs(const std::string& folder,
                                                                 const cli::AgentOptions& options,
                                                                 GpuWatch& watch) {
  auto repairs = process::NodeRepairs::open(
      {folder, options.terms.repairs, [&watch](bool wanted) { watch.look(wanted); }, watch.size()});
  if (!repairs) return tl::unexpected(failure(repairs.error()));
  return std::move(*repairs);
}

/// None: nobody asked for metrics.
cli::Outcome<std::optional<server::http::Address>> metrics_address(
    const cli::AgentOptions& options) {
  if (options.metrics.empty()) return std::nullopt;
  const auto address = server::http::parse_address(options.metrics);
  if (!address) return give_up(cli::kUsage, "--metrics: {}", address.error().message);
  return *address;
}

void greet(const cli::AgentOptions& options, const NodeSpec& node, const act::GpuSet& gpus,
           const Tasks& tasks) {
  say(fmt::format("gyre {} agent of {}", GYRE_VERSION, fmt::join(options.servers, ", ")));
  introduce(node, gpus, tasks.enforced());
  say("Ctrl-C ends the agent; tasks that run go on until their lease is over");
}

/// `log`: null for none.
void note(AgentLog* log, const std::string& line) {
  say(line);
  if (log) log->notice(line);
  if (line == agent::kConnected) process::drop_program_text();  // most of it was for the start
}

}  // namespace

cli::Outcome<int> agent(const cli::AgentOptions& options) {
  const Ending ending;
  raise_descriptor_limit();
  const auto metrics_at = metrics_address(options);
  if (!metrics_at) return tl::unexpected(metrics_at.error());
  auto lines = open_log(options.log);
  if (!lines) return tl::unexpected(lines.error());
  auto state = cli::state_folder_path(options.state);
  if (!state) return tl::unexpected(state.error());
  auto folder = cli::StateFolder::hold(*state + "/agent");
  if (!folder) return tl::unexpected(folder.error());
  auto gpus = find_gpus(options.virtual_gpus, folder->path(), say);
  if (!gpus) return tl::unexpected(gpus.error());
  auto member = Membership::open(folder->path(), options);
  if (!member) return tl::unexpected(member.error());
  auto term = process::Term::open(folder->path());
  if (!term) return tl::unexpected(failure(term.error()));
  const std::string lease_path = lease_path_of(*folder);
  const auto log =
      *lines ? std::make_unique<AgentLog>(std::move(*lines), (*member)->node()) : nullptr;
  const auto tell = [&log](const std::string& line) { note(log.get(), line); };
  BreakableNode breakable(**member, folder->path(), folder->tasks_path());
  AgentMetrics metrics(breakable.dialer(), {(*member)->node(), images_path(*folder), log.get()});
  NodeOptions tasks_options = node_options(*folder, options.terms);
  tasks_options.image_came = [&metrics](bool ready) { metrics.image_came(ready); };
  auto opened = Tasks::open(tasks_options, *gpus, folder->path());
  if (!opened) return tl::unexpected(failure(opened.error()));
  const process::FileLogs logs(folder->tasks_path());
  const process::FileArtifacts artifacts(folder->tasks_path());
  const process::GroupUsage used(folder->tasks_path());
  const NodeSpec node = node_spec((*member)->node(), *gpus, options);
  act::Hello hello = hello_of(node, *gpus, "");
  hello.facts.labels = options.labels;

  GpuWatch watch(*gpus, tell);
  auto repairs = open_repairs(folder->path(), options, watch);
  if (!repairs) return tl::unexpected(repairs.error());
  agent::Agent worker((*opened)->executor(), logs, &(*opened)->execs(), &artifacts, &metrics,
                      repairs->get(), &(*opened)->images(), &used);
  const std::unique_ptr<Tasks> tasks = std::move(*opened);  // ends before the agent
  agent::RunnerOptions how =
      runner_options(options, std::move(hello), lease_path, std::move(*term));
  how.notice = tell;
  how.lease = [&metrics, write = std::move(how.lease)](Time until) {
    metrics.granted(until);
    write(until);
  };
  agent::Runner runner(worker, metrics, std::move(how));
  std::unique_ptr<MetricsDoor> door;
  if (*metrics_at) {
    auto served = MetricsDoor::open(**metrics_at, metrics, worker);
    if (!served) return give_up(cli::kError, "--metrics: {}", served.error().message);
    door = std::move(*served);
    say(fmt::format("metrics at http://{}/metrics", door->authority()));
  }
  greet(options, node, *gpus, *tasks);
  breakable.begin(options.chaos);
  watch.begin([&worker](const auto& seen) { worker.gpus_seen(seen); });
  std::thread running([&] { runner.run(); });
  ending.wait();
  breakable.end();
  runner.stop();
  running.join();
  repairs->reset();
  watch.end();
  return cli::kOk;
}

#else

cli::Outcome<int> agent(const cli::AgentOptions&) {
  return give_up(cli::kError,
                 "this build has no gRPC, so it is no agent: install libgrpc++-dev and "
                 "protobuf-compiler-grpc, and build again");
}

#endif

}  // namespace gyre::apps
