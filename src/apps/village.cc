#include "apps/village.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

extern char** environ;

namespace gyre::apps {

using cli::give_up;

namespace {

constexpr int kStreets = 200;
constexpr Duration kTokenLifetime = seconds(120);

using Words = std::vector<std::string>;

/// What a child gets in the place of its standard descriptors; -1: the parent's.
struct Streams {
  int in = -1;
  int out = -1;
};

/// The child's id, or -1 with errno.
pid_t spawn(const Words& words, const Streams& streams) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (streams.in >= 0) posix_spawn_file_actions_adddup2(&actions, streams.in, 0);
  if (streams.out >= 0) {
    posix_spawn_file_actions_adddup2(&actions, streams.out, 1);
    posix_spawn_file_actions_adddup2(&actions, streams.out, 2);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;  // the server blocks the signals that end it
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A Ctrl-C at the terminal is the server's alone: it ends the agents itself.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return error == 0 ? child : -1;
}

/// Runs a command to its end. Errors: what it says on its standard error.
cli::Outcome<void> run(const Words& words) {
  std::array<int, 2> said{};
  if (pipe2(said.data(), O_CLOEXEC) != 0) return give_up(cli::kError, "pipe: {}", strerror(errno));
  const pid_t child = spawn(words, {-1, said[1]});
  close(said[1]);
  std::string text;
  std::array<char, 512> part{};
  for (ssize_t n = 0; child > 0 && (n = read(said[0], part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  close(said[0]);
  if (child < 0) {
    return give_up(cli::kError, "cannot run '{}': {}; is iproute2 installed?", words.front(),
                   strerror(errno));
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) return {};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return give_up(cli::kError, "'{}' failed: {}", fmt::join(words, " "), text);
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string bridge_name(int street) { return fmt::format("gyre{}", street); }

/// The street of an earlier server on that state folder, else one that is free.
int choose_street(const std::string& file) {
  int street = -1;
  if (std::ifstream(file) >> street && street >= 0 && street < kStreets) return street;
  for (street = 0; street < kStreets; ++street) {
    if (!exists("/sys/class/net/" + bridge_name(street))) break;
  }
  std::ofstream(file, std::ios::trunc) << street << "\n";
  return street;
}

/// The options of `gyre agent` that give these terms.
Words words_of(const cli::NodeTerms& terms) {
  Words words{"--warm", std::to_string(terms.warm), "--task-log",
              fmt::format("{}MiB", terms.task_log.value)};
  for (const std::string& volume : terms.volumes) words.insert(words.end(), {"--volume", volume});
  for (const std::string& device : terms.devices) words.insert(words.end(), {"--device", device});
  for (const auto& [step, command] : terms.repairs) {
    words.insert(words.end(), {"--repair", fmt::format("{}={}", to_string(step), command)});
  }
  return words;
}

}  // namespace

cli::Outcome<std::unique_ptr<Village>> Village::prepare(const std::string& state, int nodes,
                                                        bool chaos) {
  if (nodes > kNodesMax) {
    return give_up(cli::kUsage, "--nodes: {} at most on one machine", kNodesMax);
  }
  if (geteuid() != 0) {
    return give_up(cli::kNotAllowed,
                   "--nodes makes network namespaces, which only root may: run it as root, or try "
                   "'gyre up' without it");
  }
  mkdir((state + "/nodes").c_str(), 0700);
  const int street = choose_street(state + "/nodes/street");
  const std::string bridge = bridge_name(street);
  if (!exists("/sys/class/net/" + bridge)) {
    // Left to itself it changes its address with its ports, and agents that have asked for the old
    // one reach nobody for half a minute.
    const std::string hardware = fmt::format("02:67:79:72:65:{:02x}", street);
    for (const Words& words :
         {Words{"ip", "link", "add", bridge, "address", hardware, "type", "bridge"},
          Words{"ip", "address", "add", fmt::format("10.86.{}.1/24", street), "dev", bridge},
          Words{"ip", "link", "set", bridge, "up"}}) {
      if (auto done = run(words); !done) return tl::unexpected(done.error());
    }
  }
  return std::unique_ptr<Village>(new Village(state, nodes, street, chaos));
}

void Village::end_agents() {
  const std::lock_guard guard(mutex_);
  for (const pid_t agent : agents_) {
    kill(agent, SIGTERM);
    kill(agent, SIGCONT);  // it may be paused on purpose
  }
  for (const pid_t agent : agents_) waitpid(agent, nullptr, 0);
  agents_.clear();
}

Village::~Village() {
  end_agents();
  bool empty = true;
  for (int node = 1; node <= nodes_; ++node) {
    // Whoever runs in there keeps its own hold on the namespace; 'ip' lists their ids.
    const std::string list = fmt::format("test -z \"$(ip netns pids {})\"", space_name(node));
    const bool idle = run({"sh", "-c", list}).has_value();
    if (idle) remove_space(node);
    empty = empty && idle;
  }
  if (empty) static_cast<void>(run({"ip", "link", "delete", bridge_name(street_)}));
}

std::string Village::server_address() const { return fmt::format("10.86.{}.1", street_); }

std::string Village::space_name(int node) const { return fmt::format("gyre{}-{}", street_, node); }

std::string Village::node_folder(int node) const {
  return fmt::format("{}/nodes/{}", state_, node);
}

std::string Village::link_name(int node) const { return fmt::format("g{}n{}", street_, node); }

/// Connections that are over keep a namespace for minutes where their last words reach nobody, and
/// it would keep the link.
void Village::remove_space(int node) const {
  static_cast<void>(run({"ip", "link", "delete", link_name(node)}));
  static_cast<void>(run({"ip", "netns", "delete", space_name(node)}));
}

cli::Outcome<void> Village::make_space(int node) const {
  const std::string space = space_name(node);
  if (exists("/run/netns/" + space)) return {};
  const std::string outer = link_name(node);
  if (exists("/sys/class/net/" + outer)) remove_space(node);  // left by a killed server
  const std::string address = fmt::format("10.86.{}.{}/24", street_, node + 1);
  for (const Words& words :
       {Words{"ip", "netns", "add", space},
        Words{"ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space},
        Words{"ip", "link", "set", outer, "master", bridge_name(street_), "up"},
        Words{"ip", "-n", space, "address", "add", address, "dev", "eth0"},
        Words{"ip", "-n", space, "link", "set", "eth0", "up"},
        Words{"ip", "-n", space, "link", "set", "lo", "up"}}) {
    if (auto done = run(words); !done) return done;
  }
  return {};
}

/// `more`: further words of the agent's command.
cli::Outcome<void> Village::start_agent(int node, int server_port, const Words& more,
                                        const std::string& token) {
  const std::string folder = node_folder(node);
  mkdir(folder.c_str(), 0700);
  std::array<char, 4096> self{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) <= 0) {
    return give_up(cli::kError, "cannot find this program's own file");
  }
  // nsenter changes the network alone: 'ip netns exec' would hide the control groups too.
  Words words{"nsenter",
              "--net=/run/netns/" + space_name(node),
              "setpriv",
              "--pdeathsig",
              "TERM",
              self.data(),
              "agent",
              "--server",
              fmt::format("{}:{}", server_address(), server_port),
              "--state",
              folder,
              "--name",
              fmt::format("node-{}", node),
              "--token-file",
              "-",
              "--share",
              std::to_string(nodes_)};
  if (chaos_) words.emplace_back("--chaos");
  words.insert(words.end(), more.begin(), more.end());
  std::array<int, 2> in{};
  const int log =
      open((folder + "/agent.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0 || pipe2(in.data(), O_CLOEXEC) != 0) {
    return give_up(cli::kError, "cannot write in {}: {}", folder, strerror(errno));
  }
  const std::string line = token + "\n";
  static_cast<void>(!write(in[1], line.data(), line.size()));
  const pid_t child = spawn(words, {in[0], log});
  const int error = errno;
  for (const int number : {in[0], in[1], log}) close(number);
  if (child < 0) return give_up(cli::kError, "cannot start an agent: {}", strerror(error));
  agents_.push_back(child);
  return {};
}

cli::Outcome<void> Village::populate(int server_port, const std::string& virtual_gpus,
                                     const cli::NodeTerms& terms, live::Gatekeeper& keeper) {
  Words more = words_of(terms);
  if (!virtual_gpus.empty()) more.insert(more.end(), {"--virtual-gpus", virtual_gpus});
  for (int node = 1; node <= nodes_; ++node) {
    if (auto made = make_space(node); !made) return made;
    const auto token = keeper.make_token(fmt::format("node-{}", node), kTokenLifetime);
    if (!token) return give_up(cli::kError, "{}", token.error().message);
    if (auto started = start_agent(node, server_port, more, *token); !started) {
      return started;
    }
  }
  return {};
}

}  // namespace gyre::apps
