#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/state_folder.h"
#include "cli/verbs.h"
#include "codec/idle_text.h"
#include "codec/price_text.h"
#include "codec/queue_text.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;
using Level = Finding::Level;

Finding examine_disk(const std::string& folder) {
  // The folder may not be there yet: its nearest ancestor's disk is the one.
  std::string path = folder;
  struct statvfs disk {};
  while (statvfs(path.c_str(), &disk) != 0 && path.size() > 1) {
    path = path.substr(0, std::max<std::size_t>(1, path.rfind('/')));
  }
  const auto free_mib =
      static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize) >> 20;
  const std::string text =
      fmt::format("{} free on the disk of {}", format_memory(MemoryMib{free_mib}), folder);
  if (free_mib >= 1024) return {Level::Ok, "disk", text, ""};
  return {
      free_mib >= 100 ? Level::Warn : Level::Fail, "disk", text,
      "make room, or choose another folder with --state; with little room no jobs are taken in"};
}

Finding examine_folder(const std::string& folder) {
  if (access(folder.c_str(), F_OK) != 0) {
    return {Level::Ok, "state folder", folder + " (made by 'gyre up')", ""};
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return {Level::Fail, "state folder", folder + " cannot be written",
            "give it to your user, or choose another with --state"};
  }
  return {Level::Ok, "state folder", folder, ""};
}

Finding examine_clock() {
  constexpr std::time_t kNotBefore = 1'704'067'200;  // 2024-01-01
  if (std::time(nullptr) >= kNotBefore) {
    return {Level::Ok, "clock", format_utc(Time{std::time(nullptr) * seconds(1).ns}), ""};
  }
  return {Level::Warn, "clock", "it stands before 2024",
          "set it (timedatectl, chrony); times of jobs will be wrong"};
}

Finding examine_server(const Session& session) {
  auto client = session.connect();
  if (!client) return {Level::Fail, "server", client.error().message, "see --server"};
  const auto health = get_json(*client, "/healthz");
  const std::string url = client->address().text();
  if (!health) return {Level::Warn, "server", health.error().message, "gyre up"};
  const std::string version = health->value("version", "?");
  if (version != GYRE_VERSION) {
    return {Level::Warn, "server",
            fmt::format("{} runs version {}, this is {}", url, version, GYRE_VERSION),
            "restart the server: its jobs go on"};
  }
  return {Level::Ok, "server", fmt::format("{} answers, version {}", url, version), ""};
}

Outcome<int> doctor(const Session& session) {
  const auto folder = state_folder_path(session.state);
  if (!folder) return tl::unexpected(folder.error());
  std::vector<Finding> findings = {examine_folder(*folder), examine_disk(*folder), examine_clock()};
  for (Finding& finding : session.ports.examine_machine(*folder)) {
    findings.push_back(std::move(finding));
  }
  findings.push_back(examine_server(session));
  static constexpr std::string_view kNames[] = {"ok", "warn", "fail"};
  Json list = Json::array();
  bool failed = false;
  for (const Finding& finding : findings) {
    const auto name = kNames[static_cast<std::size_t>(finding.level)];
    failed = failed || finding.level == Level::Fail;
    list.push_back({{"level", name},
                    {"subject", finding.subject},
                    {"detail", finding.detail},
                    {"remedy", finding.remedy}});
  }
  const Format format = session.format();
  if (is_document(format)) {
    print_document({{"findings", std::move(list)}}, format);
  } else {
    for (const Json& finding : list) {
      fmt::print("{:<5} {}: {}\n", finding.value("level", ""), finding.value("subject", ""),
                 terminal_safe(finding.value("detail", "")));
      const std::string remedy = finding.value("remedy", "");
      if (!remedy.empty()) fmt::print("      to mend it: {}\n", remedy);
    }
  }
  return failed ? kError : kOk;
}

/// Files of settings that hold for the server from its start on; "off" where one may be.
struct SettingFiles {
  std::string queues, prices, idle;
};

template <class T>
Outcome<T> read_setting(const std::string& path, Result<T> (*read)(std::string_view)) {
  const auto text = read_input(path);
  if (!text) return tl::unexpected(text.error());
  auto setting = read(*text);
  if (!setting) return give_up(kUsage, "{}: {}", path, setting.error().message);
  return std::move(*setting);
}

Outcome<void> read_files(const SettingFiles& files, UpOptions& options) {
  if (!files.queues.empty()) {
    auto queues = read_queue_file(files.queues);
    if (!queues) return tl::unexpected(queues.error());
    options.queues = std::move(*queues);
  }
  if (files.prices == "off") {
    options.prices.emplace();
  } else if (!files.prices.empty()) {
    auto prices = read_setting(files.prices, codec::read_prices);
    if (!prices) return tl::unexpected(prices.error());
    options.prices = PriceSet{std::move(*prices)};
  }
  if (files.idle == "off") {
    options.idle.emplace();
  } else if (!files.idle.empty()) {
    auto idle = read_setting(files.idle, codec::read_idle);
    if (!idle) return tl::unexpected(idle.error());
    options.idle = std::move(*idle);
  }
  return {};
}

/// What `up` and `server` share.
void add_serving_flags(CLI::App& verb, Session& session, UpOptions& options, SettingFiles& files) {
  verb.add_option("--queues", files.queues, "quotas, limits and weights of queues")
      ->type_name("FILE");
  verb.add_option("--prices", files.prices,
                  "what an hour of a GPU costs, from now on; off: nothing; else as before")
      ->type_name("FILE|off");
  verb.add_option("--idle", files.idle,
                  "warn, then stop jobs that do not use their GPUs; off: nobody; else as before")
      ->type_name("FILE|off");
  verb.add_option("--policy", options.policy,
                  "how the line is worked off: a name of 'gyre simulate -h', or a policy file "
                  "(.yaml)")
      ->type_name("NAME|FILE");
  verb.add_option("--listen", options.listen, "address on this machine; port 0: any free one")
      ->capture_default_str()
      ->type_name("[HOST:]PORT");
  verb.add_option("--services", options.services,
                  "address of the services on this machine; else the port after --listen's")
      ->type_name("[HOST:]PORT");
  auto* certificate =
      verb.add_option("--services-certificate", options.services_certificates,
                      "services speak HTTPS with this certificate, its authorities behind it; "
                      "read anew when it changes; several: each by its names")
          ->type_name("FILE");
  certificate->needs(
      verb.add_option("--services-key", options.services_keys, "the certificate's key")
          ->type_name("FILE")
          ->needs(certificate));
  verb.add_option("--agents", options.agents, "where agents of other machines come in")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  verb.add_option("--node-lease", options.node_lease,
                  "how long tasks of other machines go on without a word from the server")
      ->capture_default_str()
      ->type_name("DURATION");
  verb.add_option("--fsync", options.fsync,
                  "full: nothing is lost; normal: the last moments, on a power cut; off: for tests")
      ->check(CLI::IsMember({"full", "normal", "off"}))
      ->capture_default_str()
      ->type_name("full|normal|off");
  verb.add_option("--otlp", options.otlp,
                  "send a trace of each job there, by OTLP/HTTP: http://127.0.0.1:4318")
      ->envname("OTEL_EXPORTER_OTLP_ENDPOINT")
      ->type_name("URL");
  verb.add_option("--log", options.log,
                  "append a JSON line for each change of a job and each request that changes "
                  "something or fails; '-': to stdout")
      ->type_name("FILE");
  verb.add_option("--state", session.state, "where the store is kept")->type_name("DIR");
}

/// `limit` lives as long as the verb.
void add_log_limit(CLI::App& verb, MemoryMib& limit) {
  const auto read = [&limit](const std::string& text) {
    const auto size = parse_memory(text);
    if (!size) throw CLI::ValidationError("--task-log", size.error().message);
    if (*size < MemoryMib{1}) throw CLI::ValidationError("--task-log", "1MB is the least");
    limit = *size;
  };
  verb.add_option_function<std::string>(
          "--task-log", read, "kept of each log of a task: its beginning and its newest part; 64MB")
      ->type_name("SIZE");
}

/// `repairs`: as they were written; see read_repairs().
void add_node_flags(CLI::App& verb, NodeTerms& terms, std::vector<std::string>& repairs) {
  verb.add_option("--volume", terms.volumes,
                  "a folder that containers may be given, with what is below; ':ro' behind it: "
                  "to read; may be repeated")
      ->type_name("DIR[:ro]");
  verb.add_option("--device", terms.devices,
                  "a kind of CDI devices that jobs may ask for; may be repeated")
      ->type_name("VENDOR/CLASS");
  verb.add_option("--warm", terms.warm,
                  "so many containers are kept ready for each image that was used of late")
      ->check(CLI::Range(0, 64))
      ->capture_default_str()
      ->type_name("N");
  add_log_limit(verb, terms.task_log);
  verb.add_option("--repair", repairs,
                  "the shell's command by which healing repairs this machine's hardware: reset (of "
                  "the GPU that $GYRE_GPU names; else nvidia-smi), reboot, replace, burn-in (else "
                  "'gyre burn-in'); may be repeated")
      ->type_name("STEP=COMMAND");
}

Outcome<std::map<Repair, std::string>> read_repairs(const std::vector<std::string>& texts) {
  std::map<Repair, std::string> repairs;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string step = text.substr(0, equals);
    auto repair = Repair::Reset;
    while (repair < Repair::BurnIn && to_string(repair) != step) {
      repair = static_cast<Repair>(static_cast<int>(repair) + 1);
    }
    if (to_string(repair) != step || equals == std::string::npos || equals + 1 == text.size()) {
      return give_up(kUsage,
                     "--repair: '{}' is none: write reset=, reboot=, replace= or burn-in= and a "
                     "command of the shell's",
                     text);
    }
    if (!repairs.emplace(repair, text.substr(equals + 1)).second) {
      return give_up(kUsage, "--repair: '{}' has two commands", step);
    }
  }
  return repairs;
}

void add_chaos_flag(CLI::App& verb, UpOptions& options) {
  verb.add_flag("--chaos", options.chaos,
                "this server, and the nodes of --nodes, may be broken on purpose, by 'gyre chaos "
                "--live' (docs/guide/chaos.md)");
}

void add_up(CLI::App& app, Session& session) {
  auto* verb =
      add_verb(app, "up", "Start a server with this machine as its node",
               "  gyre up\n  gyre up --virtual-gpus 8xH100:80GB\n  gyre up --listen 9000\n"
               "  sudo gyre up --nodes 4 --virtual-gpus 8xH100:80GB\n\n"
               "Runs until Ctrl-C or SIGTERM. Jobs that run then go on; the next 'gyre up' on "
               "the same\nstate folder takes them over.");
  auto options = std::make_shared<UpOptions>();
  verb->add_option("--virtual-gpus", options->virtual_gpus,
                   "declare GPUs where there are none: 8xH100:80GB")
      ->type_name("NxMODEL[:MEMORY]");
  verb->add_option("--nodes", options->nodes,
                   "instead of this machine, that many nodes in network namespaces (as root)")
      ->check(CLI::Range(1, 200));
  add_chaos_flag(*verb, *options);
  auto repairs = std::make_shared<std::vector<std::string>>();
  add_node_flags(*verb, options->terms, *repairs);
  auto files = std::make_shared<SettingFiles>();
  add_serving_flags(*verb, session, *options, *files);
  on_verb(verb, session, [&session, options, files, repairs]() -> Outcome<int> {
    options->state = session.state;
    auto commands = read_repairs(*repairs);
    if (!commands) return tl::unexpected(commands.error());
    options->terms.repairs = std::move(*commands);
    if (auto read = read_files(*files, *options); !read) return tl::unexpected(read.error());
    return session.ports.up(*options);
  });
}

void add_server(CLI::App& app, Session& session) {
  auto* verb =
      add_verb(app, "server", "Start a server whose nodes are other machines",
               "  gyre server\n  gyre server --agents 10.0.0.1:8643\n"
               "  gyre server --journal postgresql://gyre@db.example/gyre\n\n"
               "'gyre node join-token' lets a machine in, 'gyre agent' is what runs there.");
  auto options = std::make_shared<UpOptions>();
  options->agents = "0.0.0.0:8643";
  options->local_node = false;
  auto files = std::make_shared<SettingFiles>();
  add_serving_flags(*verb, session, *options, *files);
  verb->add_option("--journal", options->journal,
                   "keep the journal in PostgreSQL, where a second server can take over: "
                   "postgresql://USER@HOST/DATABASE, without a password")
      ->type_name("URL");
  add_chaos_flag(*verb, *options);
  on_verb(verb, session, [&session, options, files]() -> Outcome<int> {
    options->state = session.state;
    if (auto read = read_files(*files, *options); !read) return tl::unexpected(read.error());
    return session.ports.up(*options);
  });
}

Outcome<void> check_door(const std::string& server) {
  const std::size_t colon = std::min(server.rfind(':'), server.size());
  const std::string host = server.substr(0, colon);
  const char* end = server.data() + server.size();
  std::uint16_t port = 0;
  const char* begin = std::min(server.data() + colon + 1, end);
  const bool numbered = std::from_chars(begin, end, port).ptr == end && port > 0;
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (numbered && !host.empty() && (bracketed || host.find(':') == host.npos)) return {};
  return give_up(kUsage,
                 "--server: '{}' is no HOST:PORT; the port is the one that 'gyre server' says "
                 "agents come in at, as in 10.0.0.1:8643",
                 server);
}

void add_agent(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "agent", "Make this machine a node of a server elsewhere",
                        "  gyre agent --server 10.0.0.1:8643 --token-file token.txt\n"
                        "  gyre agent --server 10.0.0.1:8643        (once it has joined)\n\n"
                        "Runs until Ctrl-C or SIGTERM. Tasks go on meanwhile, until the lease that "
                        "the server gave is over.");
  auto options = std::make_shared<AgentOptions>();
  auto labels = std::make_shared<std::vector<std::string>>();
  verb->add_option("--server", options->servers,
                   "where the server lets agents in; of several that share a journal, each")
      ->required()
      ->delimiter(',')
      ->type_name("HOST:PORT[,HOST:PORT...]");
  verb->add_option("--token-file", options->token_file,
                   "a file with a join token, '-' for standard input; else GYRE_JOIN_TOKEN")
      ->type_name("FILE");
  verb->add_option("--name", options->name, "the node's name; else the machine's");
  verb->add_option(
          "--label", *labels,
          "what else is worth knowing of it; region, zone, rack and nvlink say where it is "
          "(docs/guide/topology.md); may be repeated")
      ->type_name("NAME=VALUE");
  verb->add_option("--virtual-gpus", options->virtual_gpus,
                   "declare GPUs where there are none: 8xH100:80GB")
      ->type_name("NxMODEL[:MEMORY]");
  verb->add_option("--share", options->share,
                   "offer one of that many equal parts of the machine's CPUs and memory")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  auto repairs = std::make_shared<std::vector<std::string>>();
  add_node_flags(*verb, options->terms, *repairs);
  verb->add_option("--metrics", options->metrics,
                   "serve the agent's own metrics there, at /metrics, on this machine alone")
      ->type_name("[HOST:]PORT");
  verb->add_option(
          "--log", options->log,
          "append a JSON line for each start and end of a task, and for what is said here; "
          "'-': to stdout")
      ->type_name("FILE");
  verb->add_flag("--chaos", options->chaos,
                 "let the server break this node on purpose, when an operator asks it to "
                 "(docs/guide/chaos.md)");
  verb->add_option("--state", session.state, "where its certificate and tasks are kept")
      ->type_name("DIR");
  on_verb(verb, session, [&session, options, labels, repairs]() -> Outcome<int> {
    auto commands = read_repairs(*repairs);
    if (!commands) return tl::unexpected(commands.error());
    options->terms.repairs = std::move(*commands);
    for (const std::string& label : *labels) {
      const std::size_t equals = label.find('=');
      if (equals == 0 || equals == std::string::npos) {
        return give_up(kUsage, "--label: '{}' is no label: write NAME=VALUE", label);
      }
      options->labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
    }
    for (const std::string& server : options->servers) {
      if (auto right = check_door(server); !right) return tl::unexpected(right.error());
    }
    options->state = session.state;
    return session.ports.agent(*options);
  });
}

}  // namespace

Outcome<std::vector<QueueSpec>> read_queue_file(const std::string& path) {
  return read_setting(path, codec::read_queues);
}

void add_server_verbs(CLI::App& app, Session& session) {
  add_up(app, session);
  add_server(app, session);
  add_agent(app, session);

  auto* doctor_verb = add_verb(app, "doctor", "Check what this machine allows", "  gyre doctor");
  add_server_flags(*doctor_verb, session);
  add_output_flag(*doctor_verb, session);
  on_verb(doctor_verb, session, [&session] { return doctor(session); });
}

}  // namespace gyre::cli
