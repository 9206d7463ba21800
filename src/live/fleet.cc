#include "live/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "live/admission.h"

namespace gyre::live {
namespace {

constexpr Duration kLookPause = milliseconds(100);
constexpr std::size_t kReferenceMax = 4'096;  // bytes; see parse_image_ref()

Error leads_not() {
  return {ErrorKind::Unavailable, "this server does not lead for now; another one may"};
}

/// What an agent says is shown to people, and saved under its paths.
bool is_sane(const act::ArtifactList& list) {
  const auto is_file = [](const act::Artifact& file) {
    return check_artifact(file.path, false).has_value();
  };
  const auto is_short = [](const act::LeftOut& one) {
    return one.path.size() <= kArtifactPathMax && one.why.size() <= kArtifactPathMax;
  };
  return list.attempt > 0 && list.files.size() <= act::kArtifactFilesMax &&
         list.left_out.size() <= act::kArtifactsLeftOutMax + 2 &&
         std::all_of(list.files.begin(), list.files.end(), is_file) &&
         std::all_of(list.left_out.begin(), list.left_out.end(), is_short);
}

}  // namespace

Fleet::Session::~Session() { fleet_.close(*this); }

void Fleet::Session::report(act::Report report) {
  if (auto* read = std::get_if<act::LogRead>(&report)) {
    auto kept =
        std::move(read->chunk).map([](act::LogChunk&& chunk) { return Kept{std::move(chunk)}; });
    return fleet_.on_kept(id_, read->id, std::move(kept));
  }
  if (auto* artifact = std::get_if<act::ArtifactRead>(&report)) {
    auto kept = std::move(artifact->answer).map([](act::ArtifactAnswer&& answer) {
      return std::visit([](auto&& one) { return Kept{std::move(one)}; }, std::move(answer));
    });
    return fleet_.on_kept(id_, artifact->id, std::move(kept));
  }
  if (auto* exec = std::get_if<act::ExecReport>(&report)) {
    return fleet_.on_exec(id_, std::move(*exec));
  }
  if (const auto* beat = std::get_if<act::Beat>(&report)) {
    return fleet_.on_beat(*this, beat->number);
  }
  if (auto* seen = std::get_if<act::GpusSeen>(&report)) {
    return fleet_.on_gpus(*this, std::move(*seen));
  }
  if (auto* held = std::get_if<act::ImagesHeld>(&report)) {
    return fleet_.on_images(*this, std::move(*held));
  }
  if (auto* fetched = std::get_if<act::ImageFetched>(&report)) {
    return fleet_.on_fetched(*this, std::move(*fetched));
  }
  if (auto* used = std::get_if<act::TasksUsed>(&report)) {
    return fleet_.on_used(*this, std::move(*used));
  }
  if (const auto* spoke = std::get_if<act::TaskSpoke>(&report)) {
    return fleet_.on_spoke(*this, *spoke);
  }
  // What comes before the arrival is durable is asked for again after it.
  const std::int64_t node = node_.load();
  if (node < 0) return;
  const NodeId from{static_cast<std::uint32_t>(node)};
  if (const auto* begun = std::get_if<act::TaskBegun>(&report)) {
    fleet_.inbox_.put_report({from, begun->key, std::nullopt, begun->stages});
  } else if (auto* over = std::get_if<act::TaskOver>(&report)) {
    fleet_.inbox_.put_report({from, over->key, std::move(over->exit), {}});
  } else if (auto* repaired = std::get_if<act::RepairOver>(&report)) {
    repaired->detail.resize(std::min(repaired->detail.size(), kRepairDetailMax));
    fleet_.inbox_.post(RepairEnded{from, repaired->id, repaired->good, std::move(repaired->detail)},
                       nullptr);
  }
}

Fleet::Fleet(Inbox& inbox, const FleetOptions& options, std::function<Duration()> now,
             NodeListener* listener)
    : inbox_(inbox), options_(options), now_(std::move(now)), listener_(listener) {}

// --- connections ---------------------------------------------------------------------------------

Result<std::unique_ptr<Fleet::Session>> Fleet::open(act::Hello hello, act::OrderSink& sink,
                                                    bool leased) {
  if (options_.leads && !options_.leads()) return tl::unexpected(leads_not());
  if (auto fine = check_hello(hello); !fine) return tl::unexpected(fine.error());
  std::unique_ptr<Session> session;
  std::uint64_t id = 0;
  {
    const std::lock_guard guard(mutex_);
    id = ++last_session_;
    session.reset(new Session(*this, id, sink, hello, leased));
    sessions_.emplace(id, session.get());
  }
  inbox_.put_arrival({id, std::move(hello)});
  return session;
}

void Fleet::close(Session& session) {
  bool heard = false;  // its node, by another session
  {
    const std::lock_guard guard(mutex_);
    sessions_.erase(session.id_);
    for (auto& [node, peer] : peers_) {
      if (peer.session == &session) peer.session = nullptr;
      heard = heard || (peer.session != nullptr && peer.name == session.name_);
    }
  }
  if (listener_ != nullptr && session.told_ && !heard) listener_->unheard(session.name_);
  fail_kept(session.id_);
  fail_execs(session.id_);
}

/// The peer has no session any more; the one that it had is told.
void Fleet::unbind(Peer& peer) {
  Session* session = std::exchange(peer.session, nullptr);
  if (session == nullptr) return;
  session->node_ = -1;
  session->sink_.end({ErrorKind::Conflict, "another connection speaks for this node now"});
}

void Fleet::on_beat(Session& session, std::uint64_t number) {
  const std::lock_guard guard(mutex_);
  const std::int64_t node = session.node_.load();
  if (node < 0) return;
  // A lease runs from when its beat was sent, which was before this look.
  if (options_.leads && !options_.leads()) return session.sink_.end(leads_not());
  const auto peer = peers_.find(NodeId{static_cast<std::uint32_t>(node)});
  if (peer == peers_.end() || peer->second.session != &session) return;
  peer->second.heard = now_();
  session.sink_.give(act::GrantLease{number, options_.lease, session.protocol_, options_.term});
}

/// Kept in every snapshot, so a node may neither tell much nor often.
void Fleet::on_images(Session& session, act::ImagesHeld held) {
  NodeId from;
  {
    const std::lock_guard guard(mutex_);
    if (!session.images_.take(now_())) {
      return session.sink_.end(
          {ErrorKind::Unavailable,
           fmt::format("the agent tells what images there are more often than {} times a second",
                       kImageReportsPerSecond)});
    }
    const bool sane = held.images.size() <= kImagesPerNodeMax &&
                      std::all_of(held.images.begin(), held.images.end(),
                                  [](const HeldImage& image) { return is_sane(image); });
    if (!sane) {
      return session.sink_.end(
          {ErrorKind::Invalid,
           fmt::format("the agent tells of images that are none, or of more than {}",
                       kImagesPerNodeMax)});
    }
    const std::int64_t node = session.node_.load();
    if (node < 0) return;
    from = NodeId{static_cast<std::uint32_t>(node)};
  }
  inbox_.put_images({from, std::move(held.images)});
}

/// What is too long is none of ours.
void Fleet::on_fetched(Session& session, act::ImageFetched fetched) {
  const std::lock_guard guard(mutex_);
  const std::int64_t node = session.node_.load();
  if (node < 0 || fetched.image.size() > kReferenceMax) return;
  fetched.error.resize(utf8_cut(fetched.error, act::kFetchErrorMax));
  ++(fetched.error.empty() ? image_fetches_.good : image_fetches_.failed);
  auto& trouble = peers_.at(NodeId{static_cast<std::uint32_t>(node)}).image_trouble;
  if (!fetched.error.empty()) {
    trouble = std::move(fetched);
  } else if (trouble && trouble->image == fetched.image) {
    trouble.reset();
  }
}

Result<void> Fleet::fetch_image(NodeId node, const act::FetchImage& order) {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.session == nullptr) {
    return fail(ErrorKind::Unavailable, "the node is not connected; ask again later");
  }
  if (peer->second.session->protocol_ < act::kProtocolImages) {
    return fail(ErrorKind::Unsupported,
                "the agent of node {} is of a release that fetches no images ahead; install this "
                "one there",
                peer->second.name);
  }
  auto& trouble = peer->second.image_trouble;
  if (trouble && trouble->image == order.image) trouble.reset();
  peer->second.session->sink_.give(order);
  return {};
}

std::map<NodeId, act::ImageFetched> Fleet::image_troubles() const {
  const std::lock_guard guard(mutex_);
  std::map<NodeId, act::ImageFetched> troubles;
  for (const auto& [node, peer] : peers_) {
    if (peer.session != nullptr && peer.image_trouble) troubles.emplace(node, *peer.image_trouble);
  }
  return troubles;
}

Fleet::ImageFetches Fleet::image_fetches() const {
  const std::lock_guard guard(mutex_);
  return image_fetches_;
}

// --- the world's side ----------------------------------------------------------------------------

bool Fleet::holds(const std::string& name) const {
  const std::lock_guard guard(mutex_);
  return std::any_of(peers_.begin(), peers_.end(),
                     [&](const auto& peer) { return peer.second.name == name; });
}

void Fleet::expect(NodeId node, const std::string& name, bool silent) {
  const std::lock_guard guard(mutex_);
  Peer& peer = peers_[node];
  peer.heard = now_();
  peer.name = name;
  peer.silent = silent;
  peer.lease = std::max(options_.lease, options_.lease_before);
  ++leases_;
}

Result<void> Fleet::check_arrival(std::uint64_t session, std::optional<NodeId> node) const {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return fail(ErrorKind::Unavailable, "the connection is gone");
  if (!node) return {};
  const auto peer = peers_.find(*node);
  if (peer == peers_.end() || peer->second.session == nullptr) return {};
  const bool alive = now_() - peer->second.heard < options_.silence;
  if (!alive || peer->second.session->life_ == found->second->life_) return {};
  return fail(ErrorKind::Conflict, "another agent speaks for this node; end one of the two");
}

bool Fleet::bind(std::uint64_t session, NodeId node, const act::Hello& hello) {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  const auto [at, is_new] = peers_.try_emplace(node);
  Peer& peer = at->second;
  if (peer.session != found->second) unbind(peer);
  if (!is_new && peer.leased) --leases_;
  peer.session = found->second;
  peer.leased = peer.session->leased_;
  if (peer.leased) ++leases_;
  peer.heard = now_();
  peer.silent = false;
  peer.name = hello.node.name;
  peer.lease = options_.lease;
  peer.facts = hello.facts;
  peer.devices = hello.devices;
  peer.session->node_ = node.value;
  forget_namesakes(node, hello.node.name);
  for (const act::TaskKey& key : hello.logs) remember_log(key, node);
  peer.session->sink_.give(
      act::GrantLease{0, options_.lease, peer.session->protocol_, options_.term});
  return true;
}

/// What a node was before its resources changed is no peer any more.
void Fleet::forget_namesakes(NodeId node, const std::string& name) {
  for (auto at = peers_.begin(); at != peers_.end();) {
    if (at->first == node || at->second.name != name) {
      ++at;
      continue;
    }
    unbind(at->second);
    if (at->second.leased) --leases_;
    at = peers_.erase(at);
  }
}

void Fleet::refuse(std::uint64_t session, const Error& why) {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second->sink_.end(why);
}

void Fleet::order(std::uint64_t session, const act::Order& order) {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second->sink_.give(order);
}

void Fleet::send(NodeId node, const act::Order& order) {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.session == nullptr) return;
  if (const auto* start = std::get_if<act::TaskStart>(&order)) remember_log(start->key, node);
  peer->second.session->sink_.give(order);
}

std::optional<std::string> Fleet::address(NodeId node) const {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.facts.address.empty()) return std::nullopt;
  return peer->second.facts.address;
}

std::optional<Fleet::Place> Fleet::place(NodeId node) const {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.session == nullptr) return std::nullopt;
  return Place{peer->second.facts.address, peer->second.devices, peer->second.session->protocol_};
}

std::map<NodeId, act::MachineFacts> Fleet::facts() const {
  const std::lock_guard guard(mutex_);
  std::map<NodeId, act::MachineFacts> facts;
  for (const auto& [node, peer] : peers_) {
    if (peer.session != nullptr) facts.emplace(node, peer.facts);
  }
  return facts;
}

std::optional<Duration> Fleet::watch_pause() const {
  const std::lock_guard guard(mutex_);
  return leases_ > 0 ? std::optional(kLookPause) : std::nullopt;
}

std::vector<Event::Body> Fleet::watch() {
  std::vector<Event::Body> news;
  const std::lock_guard guard(mutex_);
  const Duration now = now_();
  if (leases_ == 0 || now - looked_ < kLookPause) return news;
  looked_ = now;
  for (auto at = peers_.begin(); at != peers_.end();) {
    auto& [node, peer] = *at;
    const Duration unheard = now - peer.heard;
    if (peer.leased && unheard > peer.lease + options_.margin) {
      news.emplace_back(NodeLost{node, "it was not heard of until its lease had run out"});
      unbind(peer);
      at = peers_.erase(at);
      --leases_;
      continue;
    }
    if (peer.leased && peer.silent != (unheard > options_.silence)) {
      peer.silent = !peer.silent;
      news.emplace_back(NodeContact{node, peer.silent});
    }
    ++at;
  }
  return news;
}

// --- logs ----------------------------------------------------------------------------------------

void Fleet::remember_log(const act::TaskKey& key, NodeId node) {
  logs_[{key.job, key.rank, key.attempt}] = node;
  if (logs_.size() > options_.logs_max) logs_.erase(logs_.begin());
}

/// Where that log is kept, without an attempt the latest's.
std::optional<NodeId> Fleet::log_place(const act::LogQuery& query) const {
  constexpr std::int32_t kLatest = std::numeric_limits<std::int32_t>::max();
  const LogKey wanted{query.job, query.rank, query.attempt.value_or(kLatest)};
  auto at = logs_.upper_bound(wanted);
  if (at == logs_.begin()) return std::nullopt;
  --at;
  const bool same = at->first.job == query.job && at->first.rank == query.rank &&
                    (!query.attempt || at->first.attempt == *query.attempt);
  return same ? std::optional(at->second) : std::nullopt;
}

/// Requires: the lock. The session of the node that keeps its files. Errors: NotFound; Unavailable,
/// that node is not connected, or one that is not may keep it.
Result<Fleet::Session*> Fleet::log_keeper(const act::LogQuery& query) const {
  const auto node = log_place(query);
  if (node) {
    const auto peer = peers_.find(*node);
    if (peer != peers_.end() && peer->second.session != nullptr) return peer->second.session;
    return fail(ErrorKind::Unavailable,
                "node {}, which keeps the task's files, is not connected; ask again later",
                peer == peers_.end() ? std::to_string(node->value) : peer->second.name);
  }
  for (const auto& [id, peer] : peers_) {
    if (peer.session != nullptr) continue;
    return fail(
        ErrorKind::Unavailable,
        "node {}, which may keep the files of job {}, has not connected yet; ask again later",
        peer.name, query.job.value);
  }
  return fail(
      ErrorKind::NotFound,
      "job {} has nothing of task {}: there is none, it has not started, or its files are gone",
      query.job.value, query.rank);
}

/// Asks the node that keeps that task's folder. `make_order` makes the question of its number.
template <class MakeOrder>
void Fleet::ask_keeper(const act::LogQuery& whose, std::uint32_t protocol, MakeOrder make_order,
                       Done<Kept> done) {
  std::uint64_t id = 0;
  {
    const std::lock_guard guard(kept_mutex_);
    id = ++last_kept_request_;
    kept_requests_.emplace(id, KeptRequest{0, std::move(done)});
  }
  std::optional<Error> error;
  {
    const std::lock_guard guard(mutex_);
    const auto keeper = log_keeper(whose);
    if (!keeper) {
      error = keeper.error();
    } else if ((*keeper)->protocol_ < protocol) {
      error = Error{ErrorKind::Unsupported,
                    "the agent of the task's node is of a release that cannot do this; install "
                    "this one there"};
    } else {
      {
        const std::lock_guard kept(kept_mutex_);
        kept_requests_[id].session = (*keeper)->id_;
      }
      (*keeper)->sink_.give(make_order(id));
    }
  }
  if (error) answer(id, tl::unexpected(*error));
}

void Fleet::read_log(const act::LogQuery& query, Done<act::LogChunk> done) {
  ask_keeper(
      query, act::kProtocolOldest,
      [&](std::uint64_t id) {
        return act::ReadLog{id, query};
      },
      [done = std::move(done)](Result<Kept> kept) {
        if (!kept) return done(tl::unexpected(kept.error()));
        if (auto* chunk = std::get_if<act::LogChunk>(&*kept)) return done(std::move(*chunk));
        done(fail(ErrorKind::Unavailable, "the node answers what was not asked"));
      });
}

void Fleet::read_artifact(const act::ArtifactQuery& query, Done<act::ArtifactAnswer> done) {
  act::LogQuery whose;
  whose.job = query.job;
  whose.attempt = query.attempt;
  whose.rank = query.rank;
  ask_keeper(
      whose, act::kProtocolArtifacts,
      [&](std::uint64_t id) {
        return act::ReadArtifact{id, query};
      },
      [done = std::move(done), query](Result<Kept> kept) {
        if (!kept) return done(tl::unexpected(kept.error()));
        auto* list = std::get_if<act::ArtifactList>(&*kept);
        if (list != nullptr && query.path.empty() && is_sane(*list)) return done(std::move(*list));
        auto* piece = std::get_if<act::ArtifactPiece>(&*kept);
        const bool fits = piece != nullptr && !query.path.empty() && query.offset <= piece->size &&
                          piece->data.size() <=
                              std::min<std::uint64_t>(query.bytes_max, piece->size - query.offset);
        if (fits) return done(std::move(*piece));
        done(fail(ErrorKind::Unavailable, "the node answers what was not asked"));
      });
}

/// An agent answers for itself alone.
void Fleet::on_kept(std::uint64_t session, std::uint64_t id, Result<Kept> kept) {
  {
    const std::lock_guard guard(kept_mutex_);
    const auto found = kept_requests_.find(id);
    if (found == kept_requests_.end() || found->second.session != session) return;
  }
  answer(id, std::move(kept));
}

void Fleet::answer(std::uint64_t id, Result<Kept> kept) {
  Done<Kept> done;
  {
    const std::lock_guard guard(kept_mutex_);
    const auto found = kept_requests_.find(id);
    if (found == kept_requests_.end()) return;
    done = std::move(found->second.done);
    kept_requests_.erase(found);
  }
  done(std::move(kept));
}

void Fleet::fail_kept(std::uint64_t session) {
  std::vector<std::uint64_t> broken;
  {
    const std::lock_guard guard(kept_mutex_);
    for (const auto& [id, request] : kept_requests_) {
      if (request.session == session) broken.push_back(id);
    }
  }
  for (const std::uint64_t id : broken) {
    answer(id, fail(ErrorKind::Unavailable, "the task's node is gone; ask again when it is back"));
  }
}

// --- commands in tasks ---------------------------------------------------------------------------

Result<std::uint64_t> Fleet::start_exec(NodeId node, act::ExecStart start, ExecListener listener) {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.session == nullptr) {
    return fail(ErrorKind::Unavailable, "the task's node {} is not connected; ask again later",
                peer == peers_.end() ? std::to_string(node.value) : peer->second.name);
  }
  Session& session = *peer->second.session;
  if (session.protocol_ < act::kProtocolExec) {
    return fail(ErrorKind::Unsupported,
                "the agent of node {} is of a release that runs no commands in tasks; install "
                "this one there",
                peer->second.name);
  }
  {
    const std::lock_guard execs(exec_mutex_);
    start.id = ++last_exec_;
    execs_.emplace(start.id, ExecTalk{session.id_, std::move(listener)});
  }
  session.sink_.give(act::ExecOrder{start});
  return start.id;
}

void Fleet::tell_exec(const act::ExecOrder& order) {
  std::uint64_t session = 0;
  {
    const std::lock_guard guard(exec_mutex_);
    const auto found = execs_.find(act::exec_id(order));
    if (found == execs_.end()) return;
    session = found->second.session;
    if (std::holds_alternative<act::ExecHangUp>(order)) execs_.erase(found);
  }
  this->order(session, order);
}

/// An agent answers for itself alone.
void Fleet::on_exec(std::uint64_t session, act::ExecReport report) {
  ExecListener listener;
  {
    const std::lock_guard guard(exec_mutex_);
    const auto found = execs_.find(act::exec_id(report));
    if (found == execs_.end() || found->second.session != session) return;
    listener = found->second.listener;
    if (std::holds_alternative<act::ExecEnded>(report)) execs_.erase(found);
  }
  listener(std::move(report));
}

void Fleet::fail_execs(std::uint64_t session) {
  std::vector<std::uint64_t> broken;
  {
    const std::lock_guard guard(exec_mutex_);
    for (const auto& [id, talk] : execs_) {
      if (talk.session == session) broken.push_back(id);
    }
  }
  for (const std::uint64_t id : broken) {
    on_exec(session, act::ExecEnded{id, fail(ErrorKind::Unavailable,
                                             "the connection to the task's node broke off, and "
                                             "ended the command with it")});
  }
}

}  // namespace gyre::live
