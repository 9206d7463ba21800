#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/outcome.h"
#include "control/journal.h"
#include "domain/event.h"
#include "domain/healing.h"
#include "domain/queue.h"
#include "sim/tune/minimise.h"

namespace gyre::cli {

/// What the operator of a machine gives its tasks.
struct NodeTerms {
  std::vector<std::string> volumes;  // folders that containers may be given; ":ro" behind: to read
  std::vector<std::string> devices;  // CDI kinds that jobs may ask for
  int warm = 0;                      // containers kept ready for each image
  MemoryMib task_log{64};            // kept of each log of a task
  std::map<Repair, std::string> repairs;  // commands of the shell's; see docs/guide/healing.md
};

/// The inputs of `gyre up`.
struct UpOptions {
  std::string state;    // flag; empty: see state_folder_path()
  std::string journal;  // "postgresql://..."; empty: in the state folder
  std::string listen = "127.0.0.1:8642";
  std::string services;                            // "127.0.0.1:8643"; empty: beside `listen`
  std::vector<std::string> services_certificates;  // files of PEM; none: HTTP as it is
  std::vector<std::string> services_keys;          // of each certificate
  std::string policy;              // empty: the store's, or the default in a new one
  std::vector<QueueSpec> queues;   // parents first; empty: the store's, or "default" in a new one
  std::optional<PriceSet> prices;  // none: the store's
  std::optional<IdleSpec> idle;    // none: the store's
  std::string virtual_gpus;        // "8xH100:80GB"; empty: the machine's own
  std::string fsync = "full";
  NodeTerms terms;                // of this machine, or of each of `nodes`
  std::string agents;             // "0.0.0.0:8643"; empty: no agents of other machines
  std::string node_lease = "5m";  // how long tasks of other machines go on without a server
  int nodes = 0;                  // > 0: that many, in network namespaces of their own
  bool local_node = true;         // this machine is a node itself
  bool chaos = false;             // it, and those `nodes`, may be broken on purpose
  std::string otlp;               // where traces go: "http://127.0.0.1:4318"; empty: nowhere
  std::string log;                // file of JSON lines, "-" is stdout; empty: none
};

/// The inputs of `gyre agent`.
struct AgentOptions {
  std::vector<std::string> servers;  // "HOST:PORT" each; one of them leads
  std::string token_file;            // "-": standard input; empty: GYRE_JOIN_TOKEN
  std::string name;                  // empty: the machine's own
  std::string state;
  std::string virtual_gpus;
  std::vector<std::pair<std::string, std::string>> labels;
  int share = 1;  // one of how many nodes on this machine
  NodeTerms terms;
  std::string metrics;  // "127.0.0.1:8644"; empty: none are served
  std::string log;      // file of JSON lines; "-": stdout; empty: none
  bool chaos = false;   // the node may be broken on purpose
};

/// The inputs of `gyre burn-in`.
struct BurnInOptions {
  Duration lasts = seconds(30);
  std::size_t gpus = 0;  // with fewer it has failed
};

struct ServeOptions;

/// What is in a backup, or in a state folder that was made from one.
struct BackupFacts {
  std::string path;
  std::string cluster_id;
  std::string written_by;  // the version that made the store
  Time made_at;            // zero: a journal that is no backup
  std::uint64_t bytes = 0;
  std::uint64_t events = 0;
  std::uint64_t commands = 0;
  EventSeq last;
  Time last_at;
  std::size_t files = 0;  // beside the journal: the fleet's keys among them
};

/// The last event that is wanted of a backup; neither: all of it.
struct BackupCut {
  std::optional<std::uint64_t> upto;
  std::optional<Time> at;
};

/// Copies of a store.
struct Backups {
  /// Also while a server writes it. Errors: NotFound, Conflict (the file is there), Invalid
  /// (damaged), NoRoom and Internal (the disk).
  std::function<Result<BackupFacts>(const std::string& state_folder, const std::string& file)>
      create;
  /// Reads and replays all of it. Errors: NotFound, Invalid.
  std::function<Result<BackupFacts>(const std::string& file)> verify;
  /// Makes a state folder, or fills a database of that address. Errors: as above; Conflict, it is
  /// not empty; Unavailable, the database.
  std::function<Result<BackupFacts>(const std::string& file, const std::string& folder,
                                    const BackupCut& cut)>
      restore;
};

/// One line of `gyre doctor`.
struct Finding {
  enum class Level : unsigned char { Ok, Warn, Fail };
  Level level = Level::Ok;
  std::string subject;
  std::string detail;
  std::string remedy;  // empty where there is nothing to mend
};

/// Starts of a container without Gyre, to measure against.
class BareStarts {
 public:
  virtual ~BareStarts() = default;
  /// One start, and how long it took with one durable write behind it.
  virtual Result<Duration> run() = 0;
};

/// What the verbs need of the world outside; wired by the program's main().
struct Ports {
  std::function<Outcome<int>(const UpOptions&)> up;
  std::function<Outcome<int>(const AgentOptions&)> agent;
  /// `path`: the journal, or the state folder that it is in, or the database.
  std::function<Result<std::unique_ptr<control::JournalReader>>(const std::string& path)>
      open_journal;
  std::function<Result<std::unique_ptr<control::Journal>>(const std::string& path)> create_journal;
  std::function<std::vector<Finding>(const std::string& state_folder)> examine_machine;
  std::function<Outcome<int>(const ServeOptions&)> serve_simulation;
  std::function<Result<std::unique_ptr<BareStarts>>(const std::string& image)> bare_starts;
  Backups backups;
  sim::Minimise minimise;  // empty: built without what searches
  std::function<Outcome<int>(const BurnInOptions&)> burn_in;
};

/// The whole program: reads the command line, runs one verb, returns the exit code.
int run(int argc, const char* const* argv, const Ports& ports);

}  // namespace gyre::cli
