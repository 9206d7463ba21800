#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "act/agent_protocol.h"
#include "control/controller.h"
#include "control/forecast/outlook.h"
#include "domain/job.h"
#include "domain/node.h"
#include "domain/policy.h"
#include "domain/wait_reason.h"
#include "server/api/json_text.h"

namespace gyre::server {

/// What the API says of a job: plain data, copied from the core on the driver's thread and written
/// as JSON elsewhere.
struct JobView {
  /// The node of one task.
  struct Place {
    std::string node;
    bool virtual_gpus = false;  // as the node's
    std::int32_t attempt = 0;   // of the task; 0: it is not placed
  };
  JobId id;
  std::string name;
  JobState state = JobState::Queued;
  std::string_view reason;  // of waiting or of the end; empty: none. Static text
  std::string reason_detail;
  std::optional<std::int32_t> exit_code;
  std::vector<std::optional<std::int32_t>> exit_codes;  // as of TaskExits; in one of a single job
  std::int32_t attempt = 0;
  std::int32_t retries = 0;
  std::int32_t preemptions = 0;
  std::int32_t priority = 0;
  bool preemptible = false;
  std::string queue;
  std::int64_t gpu_milli = 0;  // of the whole gang
  std::int32_t tasks = 0;
  std::vector<Place> places;  // by rank, while placed
  Time submitted_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::optional<Explanation> waiting;  // while queued
  struct Cost {
    Charge charge;  // so far
    Money hour;     // of what it holds now
  };
  std::optional<Cost> cost;            // none: nothing of it had a price
  std::optional<IdleWarning> warning;  // it may be stopped soon
  struct Port {
    std::string name;
    std::int32_t rank = 0;
    NodeId node;
    std::string address;  // of the node, while it is connected; else empty
    std::int32_t port = 0;
  };
  std::vector<Port> ports;  // that its tasks were given, while placed
  struct Full {
    JobSpec spec;
    std::vector<TaskPlacement> placement;
    std::optional<TaskExit> exit;  // of the latest attempt that ended
    Time placed_at;                // of the task that was placed last
    StartStages start;
  };
  std::optional<Full> full;  // only in a view of a single job
};

/// What it costs is as of `now`, or of the core's last event where that is later.
JobView view_job(const control::Controller& core, const Job& job, bool full, Time now = {});

/// In millionths of a US dollar, or null.
void write_money(JsonText& out, const std::optional<Money>& money);
/// "micro_usd" and "gpu_seconds".
void write_charge(JsonText& out, const Charge& charge);
void write_cost(JsonText& out, const JobView& job);
void write_warning(JsonText& out, const JobView& job);

/// As text, or null where there is none.
void write_time(JsonText& out, std::string_view name, const std::optional<Time>& time);

void write_job(JsonText& out, const JobView& job);

/// The member "exit_codes".
void write_exit_codes(JsonText& out, const JobView& job);

/// The member "ports".
void write_ports(JsonText& out, const JobView& job);

/// What a policy is, in one line for a person, its placement too.
std::string description_of(const PolicySpec& policy);

struct NodeView {
  NodeSpec spec;
  NodeId id;
  std::string_view state;  // one of kNodeStates
  Capacity free;
  std::optional<act::MachineFacts> facts;  // while its agent is connected
  std::size_t images_held = 0;             // as it says
  std::vector<HeldImage> images = {};      // these, where they were asked for
  std::optional<act::ImageFetched> image_trouble = std::nullopt;
};
inline constexpr std::array<std::string_view, 7> kNodeStates{
    "up", "cordoned", "draining", "quarantined", "unsure", "silent", "down"};
struct NodeFilter {
  unsigned states = (1U << kNodeStates.size()) - 1;  // bits by kNodeStates
  std::optional<std::string> name;                   // the latest node of that name alone
  bool images = true;                                // each, not their number alone
};
std::vector<NodeView> view_nodes(const control::Controller& core,
                                 const std::map<NodeId, act::MachineFacts>& facts,
                                 const std::map<NodeId, act::ImageFetched>& image_troubles,
                                 const NodeFilter& filter = {});
/// `devices`: with each device and what is free on it, and with each image.
void write_node(JsonText& out, const NodeView& node, bool devices);

struct QueueView {
  QueueSpec spec;
  std::int64_t queued = 0;
  std::int64_t placed = 0;        // starting, running, or being stopped
  std::int64_t gpu_milli = 0;     // held by those
  reason::FairShare::View use;    // with those below it
  std::int64_t gpu_milli_up = 0;  // of its partition's nodes
  std::optional<Money> hour;      // what those cost; none: there are no prices
  struct Waiting {
    JobId job;
    std::string name;
    Explanation why;
  };
  /// The oldest of the highest priority among its own that wait, one that waits out a retry's
  /// backoff only where there is no other.
  std::optional<Waiting> first;
  bool governed = false;  // its partition has quotas, so that what was used is counted
};
/// O(jobs * depth of queues + nodes).
std::vector<QueueView> view_queues(const control::Controller& core);
void write_queue(JsonText& out, const QueueView& queue);

void write_explanation(JsonText& out, const Explanation& explanation,
                       const control::Outlook* outlook = nullptr, std::string_view no_outlook = {});

/// Which devices a task has on which node, by rank. `places` is parallel to `placement`.
void write_placement(JsonText& out, const std::vector<TaskPlacement>& placement,
                     const std::vector<JobView::Place>& places);
std::vector<JobView::Place> places_of(const control::Controller& core,
                                      const std::vector<TaskPlacement>& placement);

}  // namespace gyre::server
