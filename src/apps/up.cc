#include "apps/up.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include "act/local_node.h"
#include "adapter/process/file_logs.h"
#include "adapter/process/machine.h"
#include "adapter/sqlite/journal.h"
#include "apps/ending.h"
#include "apps/gpus.h"
#include "apps/node_executor.h"
#include "base/units.h"
#include "cli/print.h"
#include "cli/state_folder.h"
#include "control/driver.h"
#include "live/inbox.h"
#include "live/opening.h"
#include "live/world.h"
#include "server/api/api.h"
#include "server/http/server.h"

namespace gyre::apps {
namespace {

using adapter::sqlite::SqliteJournal;
using cli::give_up;

constexpr std::size_t kEventsKept = 10'000;
constexpr std::uint64_t kEventsPerSnapshot = 50'000;
constexpr int kIoThreads = 2;
constexpr const char* kQueue = "default";

void say(const std::string& line) { fmt::print(stderr, "{}\n", cli::terminal_safe(line)); }

void introduce(const NodeSpec& node, const act::GpuSet& gpus,
               const std::vector<std::string>& kept) {
  std::string line =
      fmt::format("node {}: {:.4g} CPU, {}", node.name, static_cast<double>(node.cpu.value) / 1000,
                  format_memory(node.memory));
  if (node.gpus > 0) {
    line +=
        fmt::format(", {} x {}{}{}", node.gpus, node.gpu_model,
                    node.gpu_memory.value > 0 ? " " + format_memory(node.gpu_memory) : "",
                    node.virtual_gpus ? " (virtual: declared, with no device behind them)" : "");
    line += fmt::format(", {}", sharing_text(node.gpu_sharing));
  } else {
    line += ", no GPU found ('--virtual-gpus 8xH100:80GB' declares some)";
  }
  say(line);
  for (const std::string& left_out : gpus.left_out) say("  " + left_out);
  for (const std::string& enforced : kept) say("  " + enforced);
}

cli::Failure store_failure(const Error& error) { return {cli::kError, error.message}; }

cli::Outcome<adapter::sqlite::Sync> read_sync(const std::string& name) {
  const auto sync = adapter::sqlite::sync_by_name(name);
  if (!sync) return give_up(cli::kUsage, "--fsync: {}", sync.error().message);
  return *sync;
}

/// Without a wish, what the store follows already.
cli::Outcome<PolicySpec> choose_policy(const std::string& wish, const control::Controller& core) {
  if (wish.empty()) {
    return core.last_event() == EventSeq{} ? named_policies().back() : core.policy();
  }
  const auto policy = policy_by_name(wish);
  if (!policy) return give_up(cli::kUsage, "--policy: {}", policy.error().message);
  return *policy;
}

struct Settings {
  server::http::Address address;
  adapter::sqlite::Sync sync = adapter::sqlite::Sync::Full;
  act::GpuSet gpus;
  std::string state;
  std::vector<std::string> volumes;
  std::vector<std::string> devices;
  int warm = 0;
};

cli::Outcome<Settings> read_settings(const cli::UpOptions& options) {
  Settings settings;
  const auto address = server::http::parse_address(options.listen);
  if (!address) return give_up(cli::kUsage, "--listen: {}", address.error().message);
  settings.address = *address;
  const auto sync = read_sync(options.fsync);
  if (!sync) return tl::unexpected(sync.error());
  settings.sync = *sync;
  auto gpus = find_gpus(options.virtual_gpus, say);
  if (!gpus) return tl::unexpected(gpus.error());
  settings.gpus = std::move(*gpus);
  auto state = cli::state_folder_path(options.state);
  if (!state) return tl::unexpected(state.error());
  settings.state = std::move(*state);
  settings.volumes = options.volumes;
  settings.devices = options.devices;
  settings.warm = options.warm;
  return settings;
}

/// The server between its start and its end. Members stand in the order in which they need each
/// other: who replies to clients goes before who serves them, the store goes last.
struct Life {
  Life(cli::StateFolder held, std::unique_ptr<SqliteJournal> store, control::Controller recovered)
      : folder(std::move(held)),
        journal(std::move(store)),
        core(std::move(recovered)),
        logs(folder.tasks_path()),
        watch(kEventsKept, core, server::machine_time()),
        telemetry(core),
        watchers(watch, telemetry.core),
        api(inbox, logs, watch, {.telemetry = &telemetry}) {}
  ~Life() {
    if (mps) mps->close();
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  cli::Outcome<void> start(const Settings& settings, const PolicySpec& policy);
  cli::Outcome<int> serve(const Ending& ending);

  cli::StateFolder folder;
  std::unique_ptr<SqliteJournal> journal;
  control::Controller core;
  live::Inbox inbox;
  process::FileLogs logs;
  server::Watch watch;
  server::Telemetry telemetry;
  Both watchers;
  server::Api api;
  std::unique_ptr<server::http::Server> http;
  std::unique_ptr<mps::MpsExecutor> mps;  // before the one that tells it
  std::unique_ptr<NodeExecutor> executor;
  std::unique_ptr<nvml::Probe> probe;
  std::optional<live::World> world;
};

cli::Outcome<void> Life::start(const Settings& settings, const PolicySpec& policy) {
  auto opened = NodeExecutor::open({.tasks = folder.tasks_path(),
                                    .images = folder.path() + "/images",
                                    .secrets = folder.path() + "/secrets",
                                    .volumes = settings.volumes,
                                    .devices = settings.devices,
                                    .warm = static_cast<std::size_t>(settings.warm)});
  if (!opened) return tl::unexpected(store_failure(opened.error()));
  executor = std::move(*opened);
  const NodeSpec node = act::node_of(process::read_machine(), settings.gpus, "");
  live::WorldOptions options;
  options.place.devices = settings.gpus.devices;
  options.place.virtual_gpus = settings.gpus.is_virtual;
  options.place.gpu_model = settings.gpus.model;
  options.place.gpu_memory = settings.gpus.memory;
  options.notice = say;
  mps = hold_shares(settings.gpus, folder.path(), executor->tasks(), say);
  act::Executor& tasks = mps ? static_cast<act::Executor&>(*mps) : executor->tasks();
  world.emplace(core, inbox, tasks, std::move(options));
  world->recover();
  for (Event::Body& event : live::opening_events(core, {policy, {kQueue, ""}, node})) {
    inbox.post(std::move(event), {});
  }
  auto served =
      server::http::Server::start(settings.address, {}, kIoThreads,
                                  [this](server::http::Request request, server::http::Reply reply) {
                                    api.handle(std::move(request), std::move(reply));
                                  });
  if (!served) return tl::unexpected(store_failure(served.error()));
  http = std::move(*served);
  if (auto told = folder.announce("http://" + http->authority()); !told) return told;
  say(fmt::format("gyre {} on http://{}", GYRE_VERSION, http->authority()));
  introduce(node, settings.gpus, executor->lines());
  probe = start_probe(settings.gpus, node.name, telemetry.gpus, say);
  say(fmt::format("state: {}; policy: {}; jobs known: {}", folder.path(), policy.name,
                  core.jobs().size()));
  say("Ctrl-C ends the server; tasks that run go on, and the next 'gyre up' takes them over");
  return {};
}

cli::Outcome<int> Life::serve(const Ending& ending) {
  Result<void> result;
  std::thread driver([&] {
    result =
        control::run(core, *world, *journal, watchers, {.events_per_snapshot = kEventsPerSnapshot});
    ending.driver_ended();
  });
  ending.wait();
  inbox.shutdown();
  driver.join();
  world.reset();  // refuses what it could not make durable, while the clients can still be told
  http->stop();
  if (!result) {
    return give_up(cli::kError, "the server stops: {}; nothing that was accepted is lost",
                   result.error().message);
  }
  say("the server has ended; tasks that run go on, and 'gyre up' takes them over");
  return cli::kOk;
}

}  // namespace

cli::Outcome<int> up(const cli::UpOptions& options) {
  const auto settings = read_settings(options);
  if (!settings) return tl::unexpected(settings.error());
  const Ending ending;
  raise_descriptor_limit();
  auto folder = cli::StateFolder::hold(settings->state);
  if (!folder) return tl::unexpected(folder.error());
  auto journal = SqliteJournal::open({folder->journal_path(), settings->sync});
  if (!journal) return tl::unexpected(store_failure(journal.error()));
  auto recovered = (*journal)->recover({});
  if (!recovered) return tl::unexpected(store_failure(recovered.error()));
  const auto policy = choose_policy(options.policy, recovered->core);
  if (!policy) return tl::unexpected(policy.error());
  Life life(std::move(*folder), std::move(*journal), std::move(recovered->core));
  if (const auto started = life.start(*settings, *policy); !started) {
    return tl::unexpected(started.error());
  }
  return life.serve(ending);
}

}  // namespace gyre::apps
