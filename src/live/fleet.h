#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "act/agent_protocol.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/event.h"
#include "live/gpu_reports.h"
#include "live/inbox.h"

namespace gyre::live {

struct FleetOptions {
  Duration lease = seconds(300);       // how long tasks run on without a word from the server
  Duration margin = seconds(5);        // for the ends of fenced tasks, and for clocks that differ
  Duration silence = seconds(5);       // after which a node gets nothing new
  Duration lease_before = seconds(0);  // the longest that an earlier life of the server granted
  std::size_t logs_max = 1'000'000;    // whose places are remembered
  std::uint64_t term = 0;              // of the store; agents that have seen a later one obey none
  std::function<bool()> leads{};       // whether this server does, any thread; empty: always
};

/// The agents of all nodes: who is connected, whose lease runs, where orders go. A node's tasks are
/// given up only `lease` + `margin` after its last beat, when they are sure to have been ended on
/// the node itself (Gray and Cheriton, "Leases", SOSP 1989). Thread-safe; uses the inbox.
class Fleet {
 public:
  /// The connection of one agent; belongs to what carries it, and ends the connection's part in the
  /// fleet when it goes. Then its sink is not used any more.
  class Session {
   public:
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    /// Requires: one call at a time.
    void report(act::Report report);

   private:
    friend class Fleet;
    Session(Fleet& fleet, std::uint64_t id, act::OrderSink& sink, const act::Hello& hello,
            bool leased)
        : fleet_(fleet),
          id_(id),
          sink_(sink),
          life_(hello.life),
          protocol_(std::min(hello.protocol_newest, act::kProtocolNewest)),
          leased_(leased),
          name_(hello.node.name),
          gpus_(hello.devices),
          images_(kImageReportsAtOnce, kImageReportsPerSecond),
          uses_(kUseReportsAtOnce, kUseReportsPerSecond) {}

    Fleet& fleet_;
    const std::uint64_t id_;
    act::OrderSink& sink_;
    const std::uint64_t life_;
    const std::uint32_t protocol_;  // as agreed
    const bool leased_;
    const std::string name_;
    GpuReports gpus_;                     // of the thread that reports
    bool told_ = false;                   // so has this: the listener knows of the node
    Allowance images_;                    // so has this
    Allowance uses_;                      // so has this
    std::atomic<std::int64_t> node_{-1};  // -1: not admitted, or not any more
  };

  /// What a connection may say of images.
  static constexpr std::int64_t kImageReportsAtOnce = 32;
  static constexpr std::int64_t kImageReportsPerSecond = 2;
  /// What it may say of what tasks use.
  static constexpr std::int64_t kUseReportsAtOnce = 32;
  static constexpr std::int64_t kUseReportsPerSecond = 4;

  /// `now`: a clock that is never set and counts a machine's sleep.
  /// `listener`, which outlives the sessions, is told what the nodes see.
  Fleet(Inbox& inbox, const FleetOptions& options, std::function<Duration()> now,
        NodeListener* listener = nullptr);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// An agent has said hello; whoever calls has made sure that it is that node's. `leased`: its
  /// tasks end when its lease does; one inside the server's own process needs none. Orders come
  /// once the node's arrival is durable. Errors: Invalid, no common protocol or an impossible node.
  Result<std::unique_ptr<Session>> open(act::Hello hello, act::OrderSink& sink, bool leased);

  /// Reads a task's log where it is kept; `done` is called once, on any thread. Errors: TaskLogs',
  /// and Unavailable where that node is not connected.
  void read_log(const act::LogQuery& query, Done<act::LogChunk> done);

  /// The same of a task's artifacts: the list, or a piece of the file that the query names. Errors:
  /// TaskArtifacts', and as above; Unsupported, the node's agent is too old.
  void read_artifact(const act::ArtifactQuery& query, Done<act::ArtifactAnswer> done);

  /// Is told of one command in a task, on any thread; must return quickly and not call the fleet.
  using ExecListener = std::function<void(act::ExecReport)>;

  /// Has the node run a command in one of its tasks. Returns its id, which `start` need not have.
  /// The listener's last word is ExecEnded; it hears no more after ExecHangUp. Errors: Unavailable,
  /// the node is not connected; Unsupported, its agent is too old.
  Result<std::uint64_t> start_exec(NodeId node, act::ExecStart start, ExecListener listener);

  /// Passes an order about a command on; means nothing for one that is over.
  void tell_exec(const act::ExecOrder& order);

  /// Has a node fetch an image. Errors: Unavailable, it is not connected; Unsupported, its agent is
  /// too old.
  Result<void> fetch_image(NodeId node, const act::FetchImage& order);
  /// The last one of each connected node that was not fetched, until it is.
  std::map<NodeId, act::ImageFetched> image_troubles() const;
  struct ImageFetches {
    std::int64_t good = 0;
    std::int64_t failed = 0;
  };
  /// How many there have been in this life.
  ImageFetches image_fetches() const;

  /// What the connected nodes have told of themselves.
  std::map<NodeId, act::MachineFacts> facts() const;

  /// Whether tasks of a node of that name may still run.
  bool holds(const std::string& name) const;

  /// Where its tasks are reached, as its agent said last; while it is away, too, as long as they
  /// may run. None where no agent of it has come in this life.
  std::optional<std::string> address(NodeId node) const;

  /// Its address and devices, while it is connected.
  struct Place {
    std::string address;
    std::vector<std::string> devices;
    std::uint32_t protocol = 0;  // that both sides use
  };
  std::optional<Place> place(NodeId node) const;

  // For the world alone, on the driver's thread.

  /// A node is up, by the journal: it has one lease from now to come back.
  void expect(NodeId node, const std::string& name, bool silent);

  /// Errors: Conflict, another agent speaks for that node; or the session is over.
  Result<void> check_arrival(std::uint64_t session, std::optional<NodeId> node) const;
  /// The session now speaks for that node. False if it is over.
  bool bind(std::uint64_t session, NodeId node, const act::Hello& hello);
  void refuse(std::uint64_t session, const Error& why);
  void order(std::uint64_t session, const act::Order& order);

  /// Lost where the node is not connected: its next arrival brings up again what is still wanted.
  void send(NodeId node, const act::Order& order);

  /// Lost likewise, and where the node's agent is too old to do it.
  void freeze(NodeId node, const act::FreezeTask& order);

  /// NodeLost and NodeContact for what has changed. Looks every 100 ms at most.
  std::vector<Event::Body> watch();
  /// When to call watch() again at the latest; none while no lease runs.
  std::optional<Duration> watch_pause() const;

 private:
  struct Peer {
    Session* session = nullptr;
    std::string name;
    bool leased = true;
    bool silent = false;
    Duration lease;  // the longest that its tasks may have
    Duration heard;  // when it was last
    act::MachineFacts facts;
    std::vector<std::string> devices;
    std::uint64_t life = 0;  // of the agent whose errors were counted
    GpuErrors gpu_errors;
    GpuHealths gpu_healths;
    std::optional<act::ImageFetched> image_trouble;
  };
  struct LogKey {
    JobId job;
    std::int32_t rank = 0;
    std::int32_t attempt = 0;
    auto operator<=>(const LogKey&) const = default;
  };
  using Kept = std::variant<act::LogChunk, act::ArtifactList, act::ArtifactPiece>;
  struct KeptRequest {  // for what a node keeps of a task
    std::uint64_t session = 0;
    Done<Kept> done;
  };

  struct ExecTalk {
    std::uint64_t session = 0;
    ExecListener listener;
  };

  void close(Session& session);
  void on_beat(Session& session, std::uint64_t number);
  void on_gpus(Session& session, act::GpusSeen seen);
  void on_images(Session& session, act::ImagesHeld held);
  void on_fetched(Session& session, act::ImageFetched fetched);
  void on_used(Session& session, act::TasksUsed used);
  void on_spoke(const Session& session, const act::TaskSpoke& spoke);
  bool keeps(const Session& session, const act::TaskKey& key) const;
  template <class MakeOrder>
  void ask_keeper(const act::LogQuery& whose, std::uint32_t protocol, MakeOrder make_order,
                  Done<Kept> done);
  void on_kept(std::uint64_t session, std::uint64_t id, Result<Kept> kept);
  void answer(std::uint64_t id, Result<Kept> kept);
  void remember_log(const act::TaskKey& key, NodeId node);
  std::optional<NodeId> log_place(const act::LogQuery& query) const;
  Result<Session*> log_keeper(const act::LogQuery& query) const;
  void fail_kept(std::uint64_t session);
  void on_exec(std::uint64_t session, act::ExecReport report);
  void fail_execs(std::uint64_t session);
  void unbind(Peer& peer);
  void forget_namesakes(NodeId node, const std::string& name);

  Inbox& inbox_;
  const FleetOptions options_;
  const std::function<Duration()> now_;
  NodeListener* const listener_;
  mutable std::mutex mutex_;
  std::map<NodeId, Peer> peers_;  // all that are up
  std::map<std::uint64_t, Session*> sessions_;
  std::uint64_t last_session_ = 0;
  std::map<LogKey, NodeId> logs_;
  ImageFetches image_fetches_;
  Duration looked_;
  std::size_t leases_ = 0;

  std::mutex kept_mutex_;
  std::map<std::uint64_t, KeptRequest> kept_requests_;
  std::uint64_t last_kept_request_ = 0;

  std::mutex exec_mutex_;  // never held while another is taken, or a listener called
  std::map<std::uint64_t, ExecTalk> execs_;
  std::uint64_t last_exec_ = 0;
};

}  // namespace gyre::live
