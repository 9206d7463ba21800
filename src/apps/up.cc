#include "apps/up.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "act/local_node.h"
#include "adapter/process/artifacts/file_artifacts.h"
#include "adapter/process/file_logs.h"
#include "adapter/process/group_usage.h"
#include "adapter/process/machine.h"
#include "adapter/process/node_repairs.h"
#include "adapter/process/process_executor.h"
#include "adapter/sqlite/journal.h"
#include "apps/about.h"
#include "apps/agent_door.h"
#include "apps/breakable_server.h"
#include "apps/ending.h"
#include "apps/gpu_ears.h"
#include "apps/gpus.h"
#include "apps/guarantee_watch.h"
#include "apps/lab.h"
#include "apps/leadership.h"
#include "apps/local_agent.h"
#include "apps/machine.h"
#include "apps/node_lease.h"
#include "apps/tasks.h"
#include "apps/tracing.h"
#include "apps/up_settings.h"
#include "apps/village.h"
#include "apps/watched_journal.h"
#include "base/units.h"
#include "cli/state_folder.h"
#include "control/driver.h"
#include "live/clock.h"
#include "live/fault_desk.h"
#include "live/files.h"
#include "live/fleet.h"
#include "live/inbox.h"
#include "live/opening.h"
#include "live/storage.h"
#include "live/store.h"
#include "live/work_budget.h"
#include "live/world.h"
#include "server/api/api.h"
#include "server/chaos/chaos.h"
#include "server/hangs/hang_watch.h"
#include "server/http/server.h"
#include "server/proxy/proxy.h"
#include "server/proxy/service_watch.h"

namespace gyre::apps {
namespace {

using adapter::sqlite::SqliteJournal;
using cli::give_up;

constexpr std::uint64_t kEventsPerSnapshot = 50'000;
constexpr std::int64_t kRecordsRecalled = 200'000;
constexpr int kIoThreads = 2;
constexpr const char* kQueue = "default";
constexpr int kNodeLooksMax = 600;
constexpr std::chrono::milliseconds kNodeLookPause{50};

/// With "default", where jobs go that name no queue. Without a wish, what the store has.
std::vector<QueueSpec> choose_queues(std::vector<QueueSpec> wish, const control::Controller& core) {
  const auto is_default = [](const QueueSpec& queue) { return queue.name == kQueue; };
  const bool known = std::any_of(core.queues().begin(), core.queues().end(), is_default);
  if (!known && std::none_of(wish.begin(), wish.end(), is_default)) {
    wish.push_back(QueueSpec{kQueue, ""});
  }
  return wish;
}

cli::Failure store_failure(const Error& error) { return {cli::kError, error.message}; }

/// Without a wish, what the store follows already.
PolicySpec choose_policy(const std::optional<PolicySpec>& wish, const control::Controller& core) {
  if (wish) return *wish;
  return core.last_event() == EventSeq{} ? named_policies().back() : core.policy();
}

/// A store whose own machine still runs tasks needs that machine as a node: nobody else ends them.
cli::Outcome<void> check_no_local_tasks(const std::string& tasks) {
  if (access(tasks.c_str(), F_OK) != 0) return {};
  const auto executor = process::ProcessExecutor::open({tasks, {}, {}});
  if (!executor) return tl::unexpected(store_failure(executor.error()));
  const auto found = (*executor)->found();
  const bool any = std::any_of(found.begin(), found.end(),
                               [](const act::FoundTask& task) { return !task.ended; });
  if (!any) return {};
  return give_up(cli::kError,
                 "tasks of this store still run on this machine: start it with 'gyre up' until "
                 "they have ended, or use another --state");
}

live::StorageOptions storage_options(const std::string& folder, const Leadership* leadership) {
  live::StorageOptions options;
  if (leadership != nullptr) {
    options.away = [leadership]() -> std::optional<std::string> {
      const auto standing = leadership->standing();
      return standing ? std::optional(standing->trouble) : std::nullopt;
    };
  }
  options.look = [folder] { return disk_room(folder); };
  return options;
}

std::vector<std::string> certificate_files(const std::vector<server::http::TlsFiles>& tls) {
  std::vector<std::string> files;
  for (const server::http::TlsFiles& one : tls) files.push_back(one.certificate);
  return files;
}

constexpr const char* kFaultRecord = "chaos.json";

/// Servers that share a journal share the record of faults, and the switch with it.
std::string fault_record_path(const std::string& folder, const Leadership* leadership) {
  return fmt::format("{}/{}{}", folder, leadership == nullptr ? "" : "fleet/", kFaultRecord);
}

/// What servers share, into the folder. A record of faults that this one kept for itself, as
/// servers did before, is brought to those that have none.
Result<void> fetch_shared(const std::string& folder, Leadership& leadership) {
  if (auto fetched = leadership.fetch_files(); !fetched) return fetched;
  const std::string shared = fault_record_path(folder, &leadership);
  const std::string own = fault_record_path(folder, nullptr);
  std::error_code ignored;
  if (std::filesystem::exists(shared, ignored)) return {};
  const auto content = live::read_private_file(own);
  if (!content && content.error().kind == ErrorKind::NotFound) return {};
  if (!content) return tl::unexpected(content.error());
  if (auto kept = leadership.share()(kFaultRecord, *content); !kept) return kept;
  return live::write_private_file(shared, *content);
}

/// Null: no other server may follow.
server::FaultLog::Share share_fault_record(Leadership* leadership) {
  if (leadership == nullptr) return nullptr;
  return [share = leadership->share()](const std::string& content) {
    return share(kFaultRecord, content);
  };
}

/// What was found damaged in the store and has been mended, for a person, and for the incidents.
std::vector<Event::Body> tell_repairs(const live::Recovered& recovered) {
  std::vector<Event::Body> events;
  const auto tell = [&events](const std::string& evidence) {
    say("warning: the journal was damaged: " + evidence);
    events.emplace_back(StoreHealed{Symptom::JournalDamaged, server::machine_time(), evidence});
  };
  for (const std::string& line : recovered.repairs) tell(line);
  for (const std::string& line : recovered.snapshots_refused) {
    tell(line + "; an older one was taken in its place");
  }
  return events;
}

/// A journal that this server may write, and how others read it.
struct OpenJournal {
  std::unique_ptr<live::Store> store;
  JournalOpener read;
  Leadership* leadership = nullptr;  // null: no other server can lead; outlives the server
};

/// The server between its start and its end. Members stand in the order in which they need each
/// other: who replies to clients goes before who serves them, the store goes last.
struct Life {
  Life(const cli::StateFolder& held, OpenJournal opened, control::Controller recovered,
       std::unique_ptr<AgentDoor> agents, std::unique_ptr<Village> around, UpSettings how,
       Tracing::Settings tracing_settings)
      : settings(std::move(how)),
        folder(held),
        leadership(opened.leadership),
        journal(std::move(opened.store)),
        storage(storage_options(folder.path(), leadership)),
        troubled(*journal, trouble),
        watched(troubled, storage),
        core(std::move(recovered)),
        telemetry(core),
        door(std::move(agents)),
        village(std::move(around)),
        fleet(
            inbox, fleet_options(),
            [clock = live::system_clock_source()] { return clock().monotonic; }, &ears),
        logs(folder.tasks_path()),
        artifacts(folder.tasks_path()),
        used(folder.tasks_path()),
        watch(server::kEventsKept, core, server::machine_time()),
        tracing(std::move(tracing_settings), folder.path(), core),
        hangs(core, telemetry, server::hang_ports(inbox, fleet)),
        looking(telemetry, hangs),
        counted(watch, looking),
        watchers(counted, tracing),
        onlookers(watchers, services),
        guarantees(static_cast<std::size_t>(settings.nodes)),
        budgeted(budget, guarantees),
        observers(budgeted, onlookers),
        api(inbox, fleet, watch, api_options()),
        breakable({settings.chaos, folder.path(),
                   [this] { return village ? village->end_agents() : void(); }},
                  trouble),
        chaos(fault_record_path(folder.path(), leadership), faults, inbox,
              {server::machine_time, say, &breakable, share_fault_record(leadership)}),
        lab(folder.path(), std::move(opened.read), say) {}

  live::FleetOptions fleet_options() const {
    live::FleetOptions options = remember_lease(folder.path(), settings.fleet);
    options.term = journal->identity().term;
    options.lease_before = std::max(options.lease_before, journal->identity().lease_granted);
    if (leadership != nullptr) options.leads = [this] { return leadership->leads(); };
    return options;
  }

  server::ApiOptions api_options() {
    server::ApiOptions options;
    options.keeper = door ? &door->keeper() : nullptr;
    options.telemetry = &telemetry;
    options.ahead = &ahead;
    options.chaos = &chaos;
    options.usages = &telemetry.uses;
    options.storage = &storage;
    tracing.fill(options);
    options.services = &services;
    options.lab = &lab.lab;
    options.facts = [this] { return facts_of(about()); };
    return options;
  }

  /// With the port that was found, once it is.
  std::string agents_at() const {
    const std::string host = settings.agents.substr(0, settings.agents.rfind(':'));
    return agents_port == 0 ? settings.agents : fmt::format("{}:{}", host, agents_port.load());
  }

  About about() const {
    return {.started_at = started_at,
            .state = folder.path(),
            .database = settings.database,
            .sync = settings.sync,
            .identity = journal->identity(),
            .door = door.get(),
            .agents = agents_at(),
            .lease = settings.fleet.lease,
            .services_url = proxy ? proxy->url() : "",
            .services_certificates = certificate_files(settings.services_tls),
            .local_node = settings.local_node};
  }

  /// `first`: what the core is to be told before anything else.
  cli::Outcome<void> start(const PolicySpec& policy, std::vector<Event::Body> first);
  cli::Outcome<void> start_local_node();
  cli::Outcome<void> start_agents();
  cli::Outcome<void> start_proxy();
  cli::Outcome<int> serve(const Ending& ending);

  /// While another server may lead, only whether this one lives is told.
  void answer(server::http::Request request, server::http::Reply reply) {
    const auto standing =
        leadership != nullptr && request.path != "/healthz" ? leadership->standing() : std::nullopt;
    if (!standing) return api.handle(std::move(request), std::move(reply));
    if (request.path == "/metrics") return reply(server::standby_metrics);
    reply([view = *standing] { return server::refuse_as_standby(view); });
  }

  const UpSettings settings;
  const Time started_at = server::machine_time();
  const cli::StateFolder& folder;
  Leadership* const leadership;
  std::unique_ptr<live::Store> journal;
  live::Storage storage;
  JournalTrouble trouble;
  TroubledJournal troubled;
  WatchedJournal watched;
  control::Controller core;
  server::Telemetry telemetry;
  live::Inbox inbox;
  GpuEars ears{telemetry, inbox};
  live::FaultDesk faults;
  std::unique_ptr<AgentDoor> door;   // null: no agents of other machines
  std::unique_ptr<Village> village;  // null: no nodes in network namespaces
  live::Fleet fleet;
  process::FileLogs logs;
  process::FileArtifacts artifacts;
  process::GroupUsage used;
  server::Watch watch;
  Tracing tracing;
  server::HangWatch hangs;
  Both looking;
  Both counted;
  Both watchers;
  server::proxy::ServiceWatch services;
  Both onlookers;
  live::WorkBudget budget{inbox};
  GuaranteeWatch guarantees;
  Both budgeted;
  Both observers;
  std::unique_ptr<server::proxy::Proxy> proxy;  // stops before what it tells goes
  server::Api api;
  std::unique_ptr<server::http::Server> http;
  server::WorkThread ahead{
      server::kLooksAheadMax};  // ends before the server that it answers through
  BreakableServer breakable;
  server::Chaos chaos;  // so does this
  PolicyLab lab;        // and this
  std::optional<live::World> world;
  std::unique_ptr<LocalAgent> agent;  // null: this machine is no node
  std::string known;                  // what the server has begun with, for a person
  std::atomic<int> agents_port = 0;   // where agents come in; 0: nowhere yet
};

cli::Outcome<void> Life::start_local_node() {
  auto tasks = Tasks::open({.tasks = folder.tasks_path(),
                            .images = folder.path() + "/images",
                            .secrets = folder.path() + "/secrets",
                            .logins = folder.path() + "/registry-logins.json",
                            .volumes = settings.terms.volumes,
                            .devices = settings.terms.devices,
                            .warm = static_cast<std::size_t>(settings.terms.warm),
                            .log_max = settings.terms.task_log},
                           settings.gpus, folder.path());
  if (!tasks) return tl::unexpected(store_failure(tasks.error()));
  const std::vector<std::string> enforced = (*tasks)->enforced();
  const NodeSpec node = act::node_of(process::read_machine(), settings.gpus, "");
  act::Hello hello = hello_of(node, settings.gpus, "127.0.0.1");
  const std::string host = settings.agents.substr(0, settings.agents.rfind(':'));
  if (!host.empty() && host != "0.0.0.0" && host != "[::]") {
    hello.facts.address = host;
  } else if (!host.empty() && !hello.facts.addresses.empty()) {
    hello.facts.address = hello.facts.addresses.front();
  }
  auto watch_of_gpus = std::make_unique<GpuWatch>(settings.gpus, say);
  auto repairs = process::NodeRepairs::open(
      {folder.path(), settings.terms.repairs,
       [pausing = watch_of_gpus.get()](bool wanted) { pausing->look(wanted); },
       watch_of_gpus->size()});
  if (!repairs) return tl::unexpected(store_failure(repairs.error()));
  agent =
      std::make_unique<LocalAgent>(std::move(*tasks), std::move(*repairs), std::move(watch_of_gpus),
                                   logs, artifacts, used, fleet, std::move(hello));
  introduce(node, settings.gpus, enforced);
  agent->watch_gpus();
  return {};
}

/// Lets agents in; with --nodes starts those of this machine and waits until they have come.
cli::Outcome<void> Life::start_agents() {
  if (!door) return {};
  const auto port = door->open(settings.agents, fleet, faults);
  if (!port) return tl::unexpected(port.error());
  agents_port = *port;
  say(fmt::format("agents come in at {}; 'gyre node join-token' makes their tokens", agents_at()));
  if (!village) return {};
  if (auto done = village->populate(*port, settings.virtual_gpus, settings.terms, door->keeper());
      !done) {
    return done;
  }
  const auto wanted = static_cast<std::size_t>(settings.nodes);
  for (int looks = 0; fleet.facts().size() < wanted; ++looks) {
    if (looks == kNodeLooksMax) {
      return give_up(cli::kError, "{} of {} nodes have come; see {}/nodes/*/agent.log",
                     fleet.facts().size(), wanted, folder.path());
    }
    std::this_thread::sleep_for(kNodeLookPause);
  }
  say(fmt::format("{} nodes, each in a network namespace of its own", wanted));
  return {};
}

/// Where the port of the default is taken, any other does: who has no services need not care.
cli::Outcome<void> Life::start_proxy() {
  server::proxy::Proxy::Ports ports;
  ports.tell = [this](Event::Body body) { inbox.post(std::move(body), nullptr); };
  ports.address = [this](NodeId node) { return fleet.address(node); };
  ports.read_log = [this](const act::LogQuery& query, auto done) {
    fleet.read_log(query, std::move(done));
  };
  ports.start_exec = [this](NodeId node, act::ExecStart start, auto listener) {
    return fleet.start_exec(node, std::move(start), std::move(listener));
  };
  ports.tell_exec = [this](const act::ExecOrder& order) { fleet.tell_exec(order); };
  ports.notice = say;
  ports.gpu_activity = [this](const std::string& name) { return ears.replicas().activity(name); };
  auto address = settings.services;
  auto started = server::proxy::Proxy::start(address, {}, ports, settings.services_tls);
  if (!started && started.error().kind == ErrorKind::Conflict && !settings.services_wished) {
    address.port = 0;
    started = server::proxy::Proxy::start(address, {}, ports, settings.services_tls);
  }
  if (!started && started.error().kind == ErrorKind::Invalid) {
    return give_up(cli::kUsage, "--services-certificate, --services-key: {}",
                   started.error().message);
  }
  if (!started) return tl::unexpected(store_failure(started.error()));
  proxy = std::move(*started);
  services.show_to(*proxy, core);
  return {};
}

cli::Outcome<void> Life::start(const PolicySpec& policy, std::vector<Event::Body> first) {
  const auto recall = [this](auto& into) { return journal->recall(kRecordsRecalled, into); };
  if (const auto done = watch.remember(core, started_at, recall); !done) {
    say("warning: events and decisions begin anew: " + done.error().message);
  }
  ears.tell(tracing.first_output());
  live::WorldOptions options;
  options.notice = say;
  options.storage = &storage;
  options.clock = breakable.clock();
  options.first_job = journal->identity().first_job;
  const live::Opening opening{policy, choose_queues(settings.queues, core), default_healing(),
                              settings.prices, settings.idle};
  std::vector<Event::Body> events = live::opening_events(core, opening);
  // A new journal begins with its policy.
  const auto place = core.last_event() == EventSeq{} ? events.end() : events.begin();
  events.insert(place, std::make_move_iterator(first.begin()),
                std::make_move_iterator(first.end()));
  options.opening.assign(std::make_move_iterator(events.begin()),
                         std::make_move_iterator(events.end()));
  world.emplace(core, inbox, fleet, std::move(options));
  auto ready = settings.local_node ? start_local_node() : check_no_local_tasks(folder.tasks_path());
  if (!ready) return ready;
  if (auto begun = start_proxy(); !begun) return begun;
  auto served =
      server::http::Server::start(settings.address, {}, kIoThreads,
                                  [this](server::http::Request request, server::http::Reply reply) {
                                    answer(std::move(request), std::move(reply));
                                  });
  if (!served) return tl::unexpected(store_failure(served.error()));
  http = std::move(*served);
  known = fmt::format("state: {}; policy: {}; jobs known: {}", folder.path(), policy.name,
                      core.jobs().size());
  say(fmt::format("gyre {} on http://{}", GYRE_VERSION, http->authority()));
  say(fmt::format("services at {}/services/NAME/", proxy->url()));
  return folder.announce("http://" + http->authority());
}

cli::Outcome<int> Life::serve(const Ending& ending) {
  Result<void> result;
  std::thread driver([&] {
    result =
        control::run(core, *world, watched, observers, {.events_per_snapshot = kEventsPerSnapshot});
    ending.driver_ended();
  });
  hangs.start();
  const auto ready = start_agents();
  if (ready) {
    say(known);
    say("Ctrl-C ends the server; tasks that run go on, and the next 'gyre up' takes them over");
    ending.wait();
  }
  village.reset();
  inbox.shutdown();
  driver.join();
  if (door) door->close();
  world.reset();  // refuses what it could not make durable, while the clients can still be told
  http->stop();
  proxy->stop();
  if (!ready) return tl::unexpected(ready.error());
  if (!result) {
    if (trouble.struck && leadership != nullptr) leadership->release();
    breakable.begin_anew_after_disk();
    return give_up(cli::kError, "the server stops: {}; nothing that was accepted is lost",
                   result.error().message);
  }
  say("the server has ended; tasks that run go on, and 'gyre up' takes them over");
  return cli::kOk;
}

/// One server on a journal, from its recovery to its end.
cli::Outcome<int> live_through(const cli::StateFolder& folder, OpenJournal journal,
                               const cli::UpOptions& options, UpSettings settings,
                               const Ending& ending) {
  auto tracing = Tracing::read(options.otlp, options.log);
  if (!tracing) return tl::unexpected(tracing.error());
  auto recovered = journal.store->recover({});
  if (!recovered) return tl::unexpected(store_failure(recovered.error()));
  const PolicySpec policy = choose_policy(settings.policy, recovered->core);
  const auto queues = choose_queues(settings.queues, recovered->core);
  if (auto fine = live::check_exempt(settings.idle, queues, recovered->core); !fine) {
    return give_up(cli::kUsage, "--idle: {}", fine.error().message);
  }
  std::unique_ptr<Village> village;
  if (settings.nodes > 0) {
    auto prepared = Village::prepare(folder.path(), settings.nodes, settings.chaos);
    if (!prepared) return tl::unexpected(prepared.error());
    village = std::move(*prepared);
    if (settings.agents.empty()) settings.agents = village->server_address() + ":0";
  }
  std::vector<Event::Body> first = tell_repairs(*recovered);
  if (!recovered->repairs.empty()) {
    for (Event::Body& silent : live::distrust_nodes(recovered->core)) {
      first.push_back(std::move(silent));
    }
  }
  AgentDoor::Share share;
  if (Leadership* const leadership = journal.leadership) {
    if (auto fetched = fetch_shared(folder.path(), *leadership); !fetched) {
      return tl::unexpected(store_failure(fetched.error()));
    }
    share = leadership->share();
    for (Event::Body& event : leadership->first_events()) first.push_back(std::move(event));
    leadership->stop_answering();
  }
  std::unique_ptr<AgentDoor> door;
  if (!settings.agents.empty()) {
    auto prepared = AgentDoor::prepare(folder.path() + "/fleet", std::move(share));
    if (!prepared) return tl::unexpected(prepared.error());
    door = std::move(*prepared);
  }
  Life life(folder, std::move(journal), std::move(recovered->core), std::move(door),
            std::move(village), std::move(settings), std::move(*tracing));
  if (const auto started = life.start(policy, std::move(first)); !started) {
    return tl::unexpected(started.error());
  }
  return life.serve(ending);
}

/// A standby and a leader by turns, until a signal ends it.
cli::Outcome<int> take_turns(const cli::StateFolder& folder, const cli::UpOptions& options,
                             UpSettings settings, const Ending& ending) {
  auto leadership = Leadership::prepare(
      folder,
      {options.journal, settings.sync, settings.fleet.lease, [&ending] { ending.driver_ended(); }});
  if (!leadership) return tl::unexpected(leadership.error());
  for (;;) {
    ending.begin_again();
    auto store = (*leadership)->await(ending, settings.address);
    if (!store) return tl::unexpected(store.error());
    if (!*store) return cli::kOk;
    auto ended =
        live_through(folder,
                     {std::move(*store), [&] { return Leadership::open_reader(options.journal); },
                      leadership->get()},
                     options, settings, ending);
    (*leadership)->release();
    if (!(*leadership)->is_fenced()) return ended;
    say("fenced: another server leads, and this one is a standby now; nothing that was accepted is "
        "lost");
  }
}

}  // namespace

cli::Outcome<int> up(const cli::UpOptions& options) {
  auto settings = read_up_settings(options);
  if (!settings) return tl::unexpected(settings.error());
  const Ending ending;
  raise_descriptor_limit();
  auto folder = cli::StateFolder::hold(settings->state);
  if (!folder) return tl::unexpected(folder.error());
  if (!options.journal.empty()) return take_turns(*folder, options, std::move(*settings), ending);
  if (const auto own = expect_own_journal(*folder); !own) return tl::unexpected(own.error());
  auto journal = SqliteJournal::open({.path = folder->journal_path(),
                                      .sync = settings->sync,
                                      .reserve = true,
                                      .accepts = [&folder](const std::string& cluster) {
                                        return check_own_cluster(*folder, cluster);
                                      }});
  if (!journal) return tl::unexpected(store_failure(journal.error()));
  const auto ours = keep_own_cluster(*folder, (*journal)->identity().cluster_id);
  if (!ours) return tl::unexpected(ours.error());
  const JournalOpener read = [path = folder->journal_path()] { return open_journal_file(path); };
  return live_through(*folder, {std::move(*journal), read}, options, std::move(*settings), ending);
}

}  // namespace gyre::apps
