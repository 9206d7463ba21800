#include "adapter/grpc/wire.h"

#include <gyre.pb.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "adapter/grpc/wire_gpus.h"
#include "adapter/grpc/wire_parts.h"
#include "adapter/grpc/wire_tasks.h"
#include "codec/journal_codec.h"

namespace gyre::adapter::rpc {
namespace {

constexpr std::size_t kListMax = 100'000;

// --- orders --------------------------------------------------------------------------------------

void write_size(const act::WindowSize& size, v1::WindowSize& out) {
  out.set_columns(size.columns);
  out.set_rows(size.rows);
}

struct ExecWriter {
  v1::Exec& out;

  void operator()(const act::ExecStart& order) const {
    v1::ExecStart& start = *out.mutable_start();
    write_key(order.key, *start.mutable_key());
    for (const std::string& word : order.command) start.add_command(word);
    start.set_terminal(order.terminal);
    write_size(order.size, *start.mutable_size());
    start.set_term(order.term);
  }
  void operator()(const act::ExecInput& order) const {
    out.mutable_input()->set_bytes(order.bytes);
    out.mutable_input()->set_last(order.last);
  }
  void operator()(const act::ExecResize& order) const {
    write_size(order.size, *out.mutable_resize());
  }
  void operator()(const act::ExecWant& order) const { out.set_want(order.bytes); }
  void operator()(const act::ExecHangUp&) const { out.set_hang_up(true); }
};

struct OrderWriter {
  v1::FromServer& out;

  void operator()(const act::TaskStart& task) const {
    v1::Start& start = *out.mutable_start();
    write_key(task.key, *start.mutable_key());
    start.set_launch(codec::encode(Launch{.command = task.command,
                                          .env = task.env,
                                          .working_directory = task.working_directory,
                                          .container = task.container,
                                          .artifacts = task.artifacts,
                                          .ports = task.ports}));
    start.set_cpu_milli(task.cpu.value);
    start.set_memory_mib(task.memory.value);
    for (const std::string& device : task.gpu_devices) start.add_gpu_devices(device);
    start.set_gpu_sharing(static_cast<int>(task.gpu_sharing));
    start.set_gpu_milli(task.gpu_milli.value);
    start.set_gpu_memory_mib(task.gpu_memory.value);
  }
  void operator()(const act::AdoptTask& order) const { write_key(order.key, *out.mutable_adopt()); }
  void operator()(const act::StopTask& order) const {
    v1::Stop& stop = *out.mutable_stop();
    write_key(order.key, *stop.mutable_key());
    stop.set_checkpoint_signal(order.options.checkpoint_signal);
    stop.set_grace_ns(order.options.grace.ns);
  }
  void operator()(const act::ReleaseTask& order) const {
    write_key(order.key, *out.mutable_release());
  }
  void operator()(const act::DiscardTask& order) const {
    write_key(order.key, *out.mutable_discard());
  }
  void operator()(const act::ReadLog& order) const {
    v1::ReadLog& read = *out.mutable_read_log();
    read.set_id(order.id);
    read.set_job(order.query.job.value);
    if (order.query.attempt) read.set_attempt(*order.query.attempt);
    read.set_rank(order.query.rank);
    read.set_standard_error(order.query.stream == act::LogStream::Stderr);
    read.set_offset(order.query.offset);
    read.set_bytes_max(order.query.bytes_max);
  }
  void operator()(const act::ReadArtifact& order) const {
    v1::ReadArtifact& read = *out.mutable_read_artifact();
    read.set_id(order.id);
    read.set_job(order.query.job.value);
    if (order.query.attempt) read.set_attempt(*order.query.attempt);
    read.set_rank(order.query.rank);
    read.set_path(order.query.path);
    read.set_offset(order.query.offset);
    read.set_bytes_max(order.query.bytes_max);
  }
  void operator()(const act::FetchImage& order) const {
    out.mutable_fetch_image()->set_image(order.image);
    out.mutable_fetch_image()->set_login(order.login);
  }
  void operator()(const act::FreezeTask& order) const {
    write_key(order.key, *out.mutable_freeze()->mutable_key());
    out.mutable_freeze()->set_frozen(order.frozen);
  }
  void operator()(const act::RepairOrder& order) const {
    v1::Repair& repair = *out.mutable_repair();
    repair.set_id(order.id.value);
    repair.set_asked_at_ns(order.asked_at.ns);
    repair.set_repair(static_cast<int>(order.repair));
    repair.set_device(order.device);
    repair.set_limit_ns(order.limit.ns);
  }
  void operator()(const act::GrantLease& grant) const {
    out.mutable_lease()->set_beat(grant.beat);
    out.mutable_lease()->set_lease_ns(grant.lease.ns);
    out.mutable_lease()->set_protocol(grant.protocol);
    out.mutable_lease()->set_term(grant.term);
  }
  void operator()(const act::ExecOrder& order) const {
    out.mutable_exec()->set_id(act::exec_id(order));
    std::visit(ExecWriter{*out.mutable_exec()}, order);
  }
};

Result<act::Order> read_start(const v1::Start& in) {
  const auto key = checked_key(in.key());
  if (!key) return tl::unexpected(key.error());
  auto launch = codec::decode_launch(in.launch());
  if (!launch) return tl::unexpected(launch.error());
  if (in.cpu_milli() < 0 || in.memory_mib() < 0 || in.gpu_milli() < 0 || in.gpu_memory_mib() < 0) {
    return fail(ErrorKind::Invalid, "a task's limits are negative");
  }
  if (in.gpu_sharing() < 0 || in.gpu_sharing() >= kSharingCount) {
    return fail(ErrorKind::Invalid, "way {} of sharing a GPU is not known here", in.gpu_sharing());
  }
  act::TaskStart task{.key = *key,
                      .command = std::move(launch->command),
                      .env = std::move(launch->env),
                      .working_directory = std::move(launch->working_directory),
                      .cpu = {in.cpu_milli()},
                      .memory = {in.memory_mib()},
                      .container = std::move(launch->container),
                      .artifacts = std::move(launch->artifacts),
                      .ports = std::move(launch->ports)};
  task.gpu_devices.assign(in.gpu_devices().begin(), in.gpu_devices().end());
  task.gpu_sharing = static_cast<Sharing>(in.gpu_sharing());
  task.gpu_milli = {in.gpu_milli()};
  task.gpu_memory = {in.gpu_memory_mib()};
  return task;
}

template <class Order>
Result<act::Order> read_keyed(const v1::TaskKey& in) {
  return checked_key(in).map([](const act::TaskKey& key) -> act::Order { return Order{key}; });
}

Result<act::Order> read_stop(const v1::Stop& in) {
  if (in.grace_ns() < 0 || in.checkpoint_signal() < 0 || in.checkpoint_signal() > 64) {
    return fail(ErrorKind::Invalid, "a stop's grace or signal is out of range");
  }
  return checked_key(in.key()).map([&](const act::TaskKey& key) -> act::Order {
    return act::StopTask{key, {in.checkpoint_signal(), Duration{in.grace_ns()}}};
  });
}

Result<act::Order> read_freeze(const v1::Freeze& in) {
  return checked_key(in.key()).map([&](const act::TaskKey& key) -> act::Order {
    return act::FreezeTask{key, in.frozen()};
  });
}

act::ReadLog read_log_query(const v1::ReadLog& in) {
  constexpr std::uint64_t kBytesMax = 1'048'576;
  act::ReadLog order{in.id(), {}};
  order.query.job = JobId{in.job()};
  if (in.has_attempt()) order.query.attempt = in.attempt();
  order.query.rank = in.rank();
  order.query.stream = in.standard_error() ? act::LogStream::Stderr : act::LogStream::Stdout;
  order.query.offset = in.offset();
  order.query.bytes_max = std::min(in.bytes_max(), kBytesMax);
  return order;
}

act::ReadArtifact read_artifact_query(const v1::ReadArtifact& in) {
  act::ReadArtifact order{in.id(), {}};
  order.query.job = JobId{in.job()};
  if (in.has_attempt()) order.query.attempt = in.attempt();
  order.query.rank = in.rank();
  order.query.path = in.path();
  order.query.offset = in.offset();
  order.query.bytes_max = std::min<std::uint64_t>(in.bytes_max(), act::kArtifactPieceMax);
  return order;
}

Result<act::Order> read_repair(const v1::Repair& in) {
  const bool known = in.repair() > 0 && in.repair() <= static_cast<int>(Repair::BurnIn);
  if (!known || in.limit_ns() <= 0) {
    return fail(ErrorKind::Invalid, "repair {} within {} ns is none that is known here",
                in.repair(), in.limit_ns());
  }
  return act::RepairOrder{CommandId{in.id()}, Time{in.asked_at_ns()},
                          static_cast<Repair>(in.repair()), in.device(), Duration{in.limit_ns()}};
}

Result<act::WindowSize> read_size(const v1::WindowSize& in) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint16_t>::max();
  if (in.columns() > kMax || in.rows() > kMax) {
    return fail(ErrorKind::Invalid, "a terminal has {} columns and rows at most", kMax);
  }
  return act::WindowSize{static_cast<std::uint16_t>(in.columns()),
                         static_cast<std::uint16_t>(in.rows())};
}

Result<act::Order> read_exec_start(std::uint64_t id, const v1::ExecStart& in) {
  const auto key = checked_key(in.key());
  if (!key) return tl::unexpected(key.error());
  const auto size = read_size(in.size());
  if (!size) return tl::unexpected(size.error());
  act::ExecStart start{id, *key, {}, in.terminal(), *size, in.term()};
  start.command.assign(in.command().begin(), in.command().end());
  return act::ExecOrder{std::move(start)};
}

Result<act::Order> read_exec(const v1::Exec& in) {
  switch (in.body_case()) {
    case v1::Exec::kStart:
      return read_exec_start(in.id(), in.start());
    case v1::Exec::kInput:
      return act::ExecOrder{act::ExecInput{in.id(), in.input().bytes(), in.input().last()}};
    case v1::Exec::kResize:
      return read_size(in.resize()).map([&](const act::WindowSize& size) -> act::Order {
        return act::ExecOrder{act::ExecResize{in.id(), size}};
      });
    case v1::Exec::kWant:
      return act::ExecOrder{act::ExecWant{in.id(), in.want()}};
    case v1::Exec::kHangUp:
      return act::ExecOrder{act::ExecHangUp{in.id()}};
    case v1::Exec::BODY_NOT_SET:
      break;
  }
  return fail(ErrorKind::Invalid, "an order about a command is of no kind that is known here");
}

// --- reports -------------------------------------------------------------------------------------

struct ExecNewsWriter {
  v1::ExecNews& out;

  void operator()(const act::ExecStarted&) const { out.set_started(true); }
  void operator()(const act::ExecOutput& report) const {
    out.mutable_output()->set_standard_error(report.standard_error);
    out.mutable_output()->set_bytes(report.bytes);
  }
  void operator()(const act::ExecTook& report) const { out.set_took(report.bytes); }
  void operator()(const act::ExecEnded& report) const {
    if (report.exit_code) {
      out.set_exit_code(*report.exit_code);
    } else {
      write_failure(report.exit_code.error(), *out.mutable_failure());
    }
  }
};

void write_artifacts(const act::ArtifactList& list, v1::ArtifactRead& to) {
  v1::ArtifactList& out = *to.mutable_list();
  out.set_attempt(list.attempt);
  for (const act::Artifact& one : list.files) {
    v1::Artifact& file = *out.add_files();
    file.set_path(one.path);
    file.set_size(one.size);
  }
  for (const act::LeftOut& one : list.left_out) {
    v1::LeftOut& left = *out.add_left_out();
    left.set_path(one.path);
    left.set_why(one.why);
  }
}

void write_artifacts(const act::ArtifactPiece& piece, v1::ArtifactRead& to) {
  to.mutable_piece()->set_attempt(piece.attempt);
  to.mutable_piece()->set_data(piece.data);
  to.mutable_piece()->set_size(piece.size);
}

struct ReportWriter {
  v1::FromAgent& out;

  void operator()(const act::TaskBegun& begun) const {
    write_key(begun.key, *out.mutable_begun()->mutable_key());
    out.mutable_begun()->set_stages(codec::encode(begun.stages));
  }
  void operator()(const act::TaskOver& over) const {
    write_key(over.key, *out.mutable_over()->mutable_key());
    out.mutable_over()->set_exit(codec::encode(over.exit));
  }
  void operator()(const act::LogRead& read) const {
    v1::LogRead& log = *out.mutable_log_read();
    log.set_id(read.id);
    if (!read.chunk) {
      return write_failure(read.chunk.error(), *log.mutable_failure());
    }
    v1::Chunk& chunk = *log.mutable_chunk();
    chunk.set_data(read.chunk->data);
    chunk.set_attempt(read.chunk->attempt);
    chunk.set_next_offset(read.chunk->next_offset);
    chunk.set_size(read.chunk->size);
    chunk.set_over(read.chunk->over);
    chunk.set_dropped(read.chunk->dropped);
    chunk.set_stuck(read.chunk->stuck);
  }
  void operator()(const act::ArtifactRead& read) const {
    v1::ArtifactRead& to = *out.mutable_artifact_read();
    to.set_id(read.id);
    if (!read.answer) return write_failure(read.answer.error(), *to.mutable_failure());
    std::visit([&to](const auto& answer) { write_artifacts(answer, to); }, *read.answer);
  }
  void operator()(const act::Beat& beat) const { out.set_beat(beat.number); }
  void operator()(const act::ImagesHeld& held) const {
    v1::ImagesHeld& to = *out.mutable_images();
    for (const HeldImage& one : held.images) {
      v1::HeldImage& image = *to.add_images();
      image.set_reference(one.reference);
      image.set_digest(one.digest);
    }
  }
  void operator()(const act::ImageFetched& fetched) const {
    out.mutable_image_fetched()->set_image(fetched.image);
    out.mutable_image_fetched()->set_took_ns(fetched.took.ns);
    out.mutable_image_fetched()->set_error(fetched.error);
  }
  void operator()(const act::RepairOver& over) const {
    out.mutable_repair_over()->set_id(over.id.value);
    out.mutable_repair_over()->set_good(over.good);
    out.mutable_repair_over()->set_detail(over.detail);
  }
  void operator()(const act::ExecReport& report) const {
    out.mutable_exec()->set_id(act::exec_id(report));
    std::visit(ExecNewsWriter{*out.mutable_exec()}, report);
  }
  void operator()(const act::GpusSeen& seen) const { write(seen, *out.mutable_gpus()); }
  void operator()(const act::TasksUsed& used) const { write(used, *out.mutable_tasks_used()); }
  void operator()(const act::TaskSpoke& spoke) const { write(spoke, *out.mutable_task_spoke()); }
};

act::MachineFacts read_facts(const v1::Facts& in) {
  act::MachineFacts facts;
  facts.address = in.address();
  facts.addresses.assign(in.addresses().begin(), in.addresses().end());
  facts.kernel = in.kernel();
  facts.gpu_driver = in.gpu_driver();
  facts.numa_nodes = in.numa_nodes();
  for (const v1::Pair& label : in.labels()) facts.labels.emplace_back(label.name(), label.value());
  facts.version = in.version();
  for (const v1::GpuLink& link : in.gpu_links()) {
    facts.gpu_links.push_back({link.gpu(), link.peer(), link.links()});
  }
  return facts;
}

Result<AgentWord> read_hello(const v1::Hello& in) {
  auto node = codec::decode_node(in.node());
  if (!node) return tl::unexpected(node.error());
  if (static_cast<std::size_t>(in.tasks_size()) > kListMax ||
      static_cast<std::size_t>(in.logs_size()) > kListMax) {
    return fail(ErrorKind::Invalid, "a node has {} tasks and logs at most", kListMax);
  }
  act::Hello hello;
  hello.protocol_newest = in.protocol_newest();
  hello.protocol_oldest = in.protocol_oldest();
  hello.life = in.life();
  hello.node = std::move(*node);
  hello.devices.assign(in.devices().begin(), in.devices().end());
  hello.facts = read_facts(in.facts());
  for (const v1::Found& found : in.tasks()) {
    const auto key = checked_key(found.key());
    if (!key) return tl::unexpected(key.error());
    hello.tasks.push_back({*key, found.ended()});
  }
  for (const v1::TaskKey& key : in.logs()) hello.logs.push_back(read_key(key));
  return hello;
}

Result<AgentWord> read_over(const v1::Over& in) {
  const auto key = checked_key(in.key());
  if (!key) return tl::unexpected(key.error());
  auto exit = codec::decode_exit(in.exit());
  if (!exit) return tl::unexpected(exit.error());
  return act::Report{act::TaskOver{*key, std::move(*exit)}};
}

Result<AgentWord> read_begun(const v1::Begun& in) {
  const auto key = checked_key(in.key());
  if (!key) return tl::unexpected(key.error());
  const auto stages = codec::decode_stages(in.stages());
  if (!stages) return tl::unexpected(stages.error());
  return act::Report{act::TaskBegun{*key, *stages}};
}

AgentWord read_log(const v1::LogRead& in) {
  if (in.has_failure()) {
    return act::Report{act::LogRead{in.id(), tl::unexpected(read_failure(in.failure()))}};
  }
  const v1::Chunk& chunk = in.chunk();
  return act::Report{act::LogRead{
      in.id(), act::LogChunk{chunk.data(), chunk.attempt(), chunk.next_offset(), chunk.size(),
                             chunk.over(), chunk.dropped(), chunk.stuck()}}};
}

act::ArtifactList read_artifact_list(const v1::ArtifactList& in) {
  act::ArtifactList list;
  list.attempt = in.attempt();
  for (const v1::Artifact& file : in.files()) list.files.push_back({file.path(), file.size()});
  for (const v1::LeftOut& one : in.left_out()) list.left_out.push_back({one.path(), one.why()});
  return list;
}

AgentWord read_images(const v1::ImagesHeld& in) {
  act::ImagesHeld held;
  for (const v1::HeldImage& one : in.images())
    held.images.push_back({one.reference(), one.digest()});
  return act::Report{std::move(held)};
}

Result<AgentWord> read_artifact(const v1::ArtifactRead& in) {
  switch (in.outcome_case()) {
    case v1::ArtifactRead::kList:
      return act::Report{act::ArtifactRead{in.id(), read_artifact_list(in.list())}};
    case v1::ArtifactRead::kPiece:
      return act::Report{act::ArtifactRead{
          in.id(), act::ArtifactPiece{in.piece().attempt(), in.piece().data(), in.piece().size()}}};
    case v1::ArtifactRead::kFailure:
      return act::Report{act::ArtifactRead{in.id(), tl::unexpected(read_failure(in.failure()))}};
    case v1::ArtifactRead::OUTCOME_NOT_SET:
      break;
  }
  return fail(ErrorKind::Invalid, "an answer about artifacts is of no kind that is known here");
}

Result<AgentWord> read_exec_news(const v1::ExecNews& in) {
  switch (in.body_case()) {
    case v1::ExecNews::kStarted:
      return act::Report{act::ExecReport{act::ExecStarted{in.id()}}};
    case v1::ExecNews::kOutput:
      return act::Report{act::ExecReport{
          act::ExecOutput{in.id(), in.output().standard_error(), in.output().bytes()}}};
    case v1::ExecNews::kTook:
      return act::Report{act::ExecReport{act::ExecTook{in.id(), in.took()}}};
    case v1::ExecNews::kExitCode:
      return act::Report{act::ExecReport{act::ExecEnded{in.id(), in.exit_code()}}};
    case v1::ExecNews::kFailure:
      return act::Report{
          act::ExecReport{act::ExecEnded{in.id(), tl::unexpected(read_failure(in.failure()))}}};
    case v1::ExecNews::BODY_NOT_SET:
      break;
  }
  return fail(ErrorKind::Invalid, "news of a command are of no kind that is known here");
}

template <class Report>
Result<AgentWord> as_report(Result<Report> report) {
  return std::move(report).map(
      [](Report&& one) -> AgentWord { return act::Report{std::move(one)}; });
}

void write_facts(const act::MachineFacts& facts, v1::Facts& out) {
  out.set_address(facts.address);
  for (const std::string& address : facts.addresses) out.add_addresses(address);
  out.set_kernel(facts.kernel);
  out.set_gpu_driver(facts.gpu_driver);
  out.set_numa_nodes(facts.numa_nodes);
  for (const auto& [name, value] : facts.labels) {
    v1::Pair& label = *out.add_labels();
    label.set_name(name);
    label.set_value(value);
  }
  out.set_version(facts.version);
  for (const act::GpuLink& one : facts.gpu_links) {
    v1::GpuLink& link = *out.add_gpu_links();
    link.set_gpu(one.gpu);
    link.set_peer(one.peer);
    link.set_links(one.links);
  }
}

}  // namespace

void write(const act::Order& order, v1::FromServer& out) { std::visit(OrderWriter{out}, order); }

Result<act::Order> read(const v1::FromServer& in) {
  switch (in.body_case()) {
    case v1::FromServer::kStart:
      return read_start(in.start());
    case v1::FromServer::kAdopt:
      return read_keyed<act::AdoptTask>(in.adopt());
    case v1::FromServer::kStop:
      return read_stop(in.stop());
    case v1::FromServer::kRelease:
      return read_keyed<act::ReleaseTask>(in.release());
    case v1::FromServer::kDiscard:
      return read_keyed<act::DiscardTask>(in.discard());
    case v1::FromServer::kReadLog:
      return read_log_query(in.read_log());
    case v1::FromServer::kReadArtifact:
      return read_artifact_query(in.read_artifact());
    case v1::FromServer::kLease:
      if (in.lease().lease_ns() < 0) break;
      return act::GrantLease{in.lease().beat(), Duration{in.lease().lease_ns()},
                             in.lease().protocol(), in.lease().term()};
    case v1::FromServer::kExec:
      return read_exec(in.exec());
    case v1::FromServer::kFetchImage:
      return act::FetchImage{in.fetch_image().image(), in.fetch_image().login()};
    case v1::FromServer::kFreeze:
      return read_freeze(in.freeze());
    case v1::FromServer::kRepair:
      return read_repair(in.repair());
    case v1::FromServer::BODY_NOT_SET:
      break;
  }
  return fail(ErrorKind::Invalid, "a message of the server's is of no kind that is known here");
}

void write(const act::Hello& hello, v1::FromAgent& out) {
  v1::Hello& to = *out.mutable_hello();
  to.set_protocol_newest(hello.protocol_newest);
  to.set_protocol_oldest(hello.protocol_oldest);
  to.set_life(hello.life);
  to.set_node(codec::encode(hello.node));
  for (const std::string& device : hello.devices) to.add_devices(device);
  write_facts(hello.facts, *to.mutable_facts());
  for (const act::FoundTask& task : hello.tasks) {
    v1::Found& found = *to.add_tasks();
    write_key(task.key, *found.mutable_key());
    found.set_ended(task.ended);
  }
  for (const act::TaskKey& key : hello.logs) write_key(key, *to.add_logs());
}

void write(const act::Report& report, v1::FromAgent& out) { std::visit(ReportWriter{out}, report); }

Result<AgentWord> read(const v1::FromAgent& in) {
  switch (in.body_case()) {
    case v1::FromAgent::kHello:
      return read_hello(in.hello());
    case v1::FromAgent::kBegun:
      return read_begun(in.begun());
    case v1::FromAgent::kOver:
      return read_over(in.over());
    case v1::FromAgent::kLogRead:
      return read_log(in.log_read());
    case v1::FromAgent::kBeat:
      return act::Report{act::Beat{in.beat()}};
    case v1::FromAgent::kExec:
      return read_exec_news(in.exec());
    case v1::FromAgent::kArtifactRead:
      return read_artifact(in.artifact_read());
    case v1::FromAgent::kGpus:
      return as_report(read(in.gpus()));
    case v1::FromAgent::kTasksUsed:
      return as_report(read(in.tasks_used()));
    case v1::FromAgent::kTaskSpoke:
      return as_report(read(in.task_spoke()));
    case v1::FromAgent::kImages:
      return read_images(in.images());
    case v1::FromAgent::kImageFetched:
      return act::Report{act::ImageFetched{in.image_fetched().image(),
                                           Duration{in.image_fetched().took_ns()},
                                           in.image_fetched().error()}};
    case v1::FromAgent::kRepairOver:
      return act::Report{act::RepairOver{CommandId{in.repair_over().id()}, in.repair_over().good(),
                                         in.repair_over().detail()}};
    case v1::FromAgent::BODY_NOT_SET:
      break;
  }
  return fail(ErrorKind::Invalid, "a message of the agent's is of no kind that is known here");
}

}  // namespace gyre::adapter::rpc
