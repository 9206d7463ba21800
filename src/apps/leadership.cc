#include "apps/leadership.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <utility>

#include "adapter/process/machine.h"
#include "apps/machine.h"
#include "live/clock.h"
#include "live/files.h"

#ifdef GYRE_HAVE_ADAPTER_POSTGRES
#include "adapter/postgres/journal.h"
#include "adapter/postgres/lease.h"
#include "adapter/postgres/schema.h"
#include "adapter/postgres/shared_files.h"
#endif

namespace gyre::apps {

using cli::give_up;

cli::Outcome<void> check_own_journal(const std::string& state_folder) {
  const auto place = cli::read_journal_place(state_folder);
  if (!place) return give_up(cli::kError, "{}", place.error().message);
  if (!*place || (*place)->is_own()) return {};
  return give_up(cli::kError,
                 "the journal of the state folder {} is in {}: start it with 'gyre server "
                 "--journal', or choose another folder with --state",
                 state_folder, (*place)->journal);
}

namespace {

/// `what`: what is there in place of the journal of the folder's cluster.
tl::unexpected<Error> refuse_cluster(const cli::StateFolder& folder, const std::string& cluster,
                                     const std::string& what) {
  return fail(ErrorKind::Conflict,
              "the state folder {} is of cluster {}, and its journal {} {}. Tasks of that cluster "
              "may still run, and would be ended as unknown: put its journal back; or remove "
              "{}/journal.json to go on without it, and have them ended",
              folder.path(), cluster, folder.journal_path(), what, folder.path());
}

cli::Failure failure(const Error& error) { return {cli::kError, error.message}; }

}  // namespace

cli::Outcome<void> expect_own_journal(const cli::StateFolder& folder) {
  if (auto own = check_own_journal(folder.path()); !own) return own;
  const auto place = cli::read_journal_place(folder.path());
  if (!place) return tl::unexpected(failure(place.error()));
  if (!*place || access(folder.journal_path().c_str(), F_OK) == 0) return {};
  return tl::unexpected(failure(refuse_cluster(folder, (*place)->cluster, "is gone").value()));
}

Result<void> check_own_cluster(const cli::StateFolder& folder, const std::string& cluster) {
  const auto place = cli::read_journal_place(folder.path());
  if (!place) return tl::unexpected(place.error());
  if (!*place || (*place)->cluster == cluster) return {};
  return refuse_cluster(folder, (*place)->cluster,
                        cluster.empty() ? "is empty" : "is of cluster " + cluster);
}

cli::Outcome<void> keep_own_cluster(const cli::StateFolder& folder, const std::string& cluster) {
  const auto place = cli::read_journal_place(folder.path());
  if (!place) return tl::unexpected(failure(place.error()));
  if (*place) return {};
  const auto kept =
      cli::write_journal_place(folder.path(), {cli::JournalPlace::kOwnJournal, cluster, ""});
  if (!kept) return tl::unexpected(failure(kept.error()));
  return {};
}

#ifdef GYRE_HAVE_ADAPTER_POSTGRES

namespace pg = adapter::postgres;

namespace {

constexpr Duration kStandbyPatience = seconds(2);
constexpr std::size_t kServerIdDigits = 16;
constexpr int kMillisecondNs = 1'000'000;

Duration boot_time() {
  static const live::ClockSource kClock = live::system_clock_source();
  return kClock().monotonic;
}

std::string new_server_id() {
  std::random_device chance;
  return fmt::format("{:08x}{:08x}", chance(), chance()).substr(0, kServerIdDigits);
}

}  // namespace

struct Leadership::Impl {
  const cli::StateFolder& folder;
  Options options;
  pg::Target target;
  cli::JournalPlace place;
  std::string machine = process::read_machine().name;

  // Of a standby.
  server::StandbyApi api{};
  std::unique_ptr<server::http::Server> http{};
  std::optional<pg::Connection> connection{};
  pg::LeaseWatch watch{};
  pg::Holder holder{};
  std::string last_notice{};

  // Of a leader.
  std::unique_ptr<pg::SharedFiles> files{};
  std::unique_ptr<pg::LeaseKeeper> keeper{};
  std::optional<pg::Lease> before{};
  Duration silent_for{};
  std::atomic<bool> fenced = false;

  void tell(const std::string& line) {
    if (std::exchange(last_notice, line) != line) say(line);
  }
  cli::Outcome<void> answer(server::http::Address& address);
  Result<void> check_cluster(const std::string& cluster) const;
  Result<std::optional<pg::Lease>> look();
  Result<std::unique_ptr<pg::PostgresJournal>> try_to_lead(const std::optional<pg::Lease>& lease);
  Result<std::unique_ptr<live::Store>> look_once();
  Result<void> begin(std::unique_ptr<pg::PostgresJournal>& journal, Duration asked);
  void show(const std::optional<pg::Lease>& lease);
};

cli::Outcome<void> Leadership::Impl::answer(server::http::Address& address) {
  auto started = server::http::Server::start(
      address, {}, 1,
      [this](const server::http::Request& request, const server::http::Reply& reply) {
        api.handle(request, reply);
      });
  if (!started) return tl::unexpected(failure(started.error()));
  http = std::move(*started);
  const std::string authority = http->authority();
  address.port = static_cast<std::uint16_t>(std::stoi(authority.substr(authority.rfind(':') + 1)));
  const std::string url = "http://" + authority;
  holder = {place.server, fmt::format("{}, {}", machine, url)};
  return folder.announce(url);
}

/// A state folder is of one cluster.
Result<void> Leadership::Impl::check_cluster(const std::string& cluster) const {
  if (place.cluster.empty() || place.cluster == cluster) return {};
  return fail(ErrorKind::Invalid,
              "the state folder {} is of cluster {}, and the journal in {} is of {}: give the "
              "right database, or another folder with --state",
              folder.path(), place.cluster, target.shown,
              cluster.empty() ? "none yet" : "cluster " + cluster);
}

/// Who leads, as the database has it now; none: nobody has yet.
Result<std::optional<pg::Lease>> Leadership::Impl::look() {
  const bool anew = !connection;
  if (anew) {
    auto opened = pg::Connection::open(target, kStandbyPatience);
    if (!opened) return tl::unexpected(opened.error());
    connection.emplace(std::move(*opened));
  }
  const auto version = pg::schema_version(*connection, pg::schema_scripts().size());
  if (!version) return tl::unexpected(version.error());
  if (anew) {
    const auto cluster =
        *version == 0 ? Result<std::string>(std::string()) : pg::cluster_id(*connection);
    if (!cluster) return tl::unexpected(cluster.error());
    if (auto ours = check_cluster(*cluster); !ours) return tl::unexpected(ours.error());
  }
  if (*version == 0) return std::optional<pg::Lease>();
  return pg::read_lease(*connection);
}

void Leadership::Impl::show(const std::optional<pg::Lease>& lease) {
  if (!lease) return;
  api.show({lease->holder.name, ""});
  tell(fmt::format("a standby: {} leads on {}", lease->holder.name, target.shown));
}

Result<std::unique_ptr<pg::PostgresJournal>> Leadership::Impl::try_to_lead(
    const std::optional<pg::Lease>& lease) {
  pg::JournalOptions journal;
  journal.target = target;
  journal.sync = options.sync;
  journal.take.holder = holder;
  journal.take.accepts = [this](const std::string& cluster) { return check_cluster(cluster); };
  if (lease && watch.is_over()) journal.take.over = lease->mark;
  journal.take.node_lease_s = (options.node_lease.ns + seconds(1).ns - 1) / seconds(1).ns;
  return pg::PostgresJournal::open(journal);
}

/// Null: another server leads.
Result<std::unique_ptr<live::Store>> Leadership::Impl::look_once() {
  const Duration asked = boot_time();
  const auto lease = look();
  if (!lease) return tl::unexpected(lease.error());
  if (*lease) watch.saw((*lease)->mark, asked, boot_time());
  const bool is_free = !*lease || (*lease)->released || (*lease)->holder.id == place.server;
  show(*lease);
  if (!is_free && !watch.is_over()) return std::unique_ptr<live::Store>();
  const Duration taking = boot_time();
  auto journal = try_to_lead(*lease);
  if (!journal && journal.error().kind == ErrorKind::Conflict) {
    return std::unique_ptr<live::Store>();  // another standby was faster, or it has come back
  }
  if (!journal) return tl::unexpected(journal.error());
  if (auto begun = begin(*journal, taking); !begun) return tl::unexpected(begun.error());
  return std::unique_ptr<live::Store>(std::move(*journal));
}

/// From now on this server leads. Errors: the disk.
Result<void> Leadership::Impl::begin(std::unique_ptr<pg::PostgresJournal>& journal,
                                     Duration asked) {
  fenced = false;
  before = journal->before();
  silent_for = watch.silent_for();
  keeper = std::make_unique<pg::LeaseKeeper>(
      pg::LeaseKeeper::Options{target, journal->term(), asked, boot_time,
                               [this](const Error& why) {
                                 say(why.message);
                                 fenced = true;
                                 options.lost();
                               },
                               [](const std::string& line) { say("warning: " + line); }});
  files = std::make_unique<pg::SharedFiles>(target, journal->term());
  connection.reset();
  watch = {};
  place.cluster = journal->identity().cluster_id;
  return cli::write_journal_place(folder.path(), place);
}

cli::Outcome<std::unique_ptr<Leadership>> Leadership::prepare(const cli::StateFolder& folder,
                                                              Options options) {
  auto target = pg::parse_target(options.journal);
  if (!target) return give_up(cli::kUsage, "--journal: {}", target.error().message);
  if (access(folder.journal_path().c_str(), F_OK) == 0) {
    return give_up(cli::kError,
                   "the state folder {} has a journal of its own, {}; choose another folder with "
                   "--state",
                   folder.path(), folder.journal_path());
  }
  auto place = cli::read_journal_place(folder.path());
  if (!place) return tl::unexpected(failure(place.error()));
  auto impl =
      std::unique_ptr<Impl>(new Impl{folder, std::move(options), std::move(*target),
                                     place->value_or(cli::JournalPlace{"", "", new_server_id()})});
  impl->place.journal = impl->target.shown;
  if (impl->place.server.empty()) impl->place.server = new_server_id();
  if (auto kept = cli::write_journal_place(folder.path(), impl->place); !kept) {
    return tl::unexpected(failure(kept.error()));
  }
  return std::unique_ptr<Leadership>(new Leadership(std::move(impl)));
}

Leadership::Leadership(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Leadership::~Leadership() = default;

cli::Outcome<std::unique_ptr<live::Store>> Leadership::await(const Ending& ending,
                                                             server::http::Address& address) {
  const bool has_led = impl_->keeper != nullptr;  // the database has been there
  impl_->keeper.reset();
  impl_->last_notice.clear();
  if (auto answering = impl_->answer(address); !answering) {
    return tl::unexpected(answering.error());
  }
  for (bool first = true;; first = false) {
    auto store = impl_->look_once();
    const bool passes = !store && (store.error().kind == ErrorKind::Unavailable ||
                                   store.error().kind == ErrorKind::NoRoom);
    if (!store && ((first && !has_led) || !passes)) {
      if (impl_->keeper) impl_->keeper->release();
      impl_->keeper.reset();
      return tl::unexpected(failure(store.error()));
    }
    if (!store) {
      impl_->connection.reset();
      impl_->watch = {};  // the leader may have found no database either
      impl_->api.show({"", store.error().message});
      impl_->tell("warning: " + store.error().message);
    } else if (*store) {
      return std::move(*store);
    }
    if (first) {
      say(fmt::format("gyre {} on http://{}", GYRE_VERSION, impl_->http->authority()));
      say("Ctrl-C ends the standby");
    }
    if (ending.wait(static_cast<int>(pg::kLook.ns / kMillisecondNs))) {
      return std::unique_ptr<live::Store>();
    }
  }
}

Result<void> Leadership::fetch_files() {
  const auto files = impl_->files->all();
  if (!files) return tl::unexpected(files.error());
  const std::string folder = impl_->folder.path() + "/fleet";
  if (auto made = live::make_private_folder(folder); !made) return made;
  for (const auto& [name, content] : *files) {
    if (name.find('/') != name.npos || name.starts_with('.')) {
      return fail(ErrorKind::Invalid,
                  "the journal in {} has a file '{}', which no server puts there",
                  impl_->target.shown, name);
    }
    if (auto written = live::write_private_file(folder + "/" + name, content); !written) {
      return written;
    }
  }
  return {};
}

AgentDoor::Share Leadership::share() {
  return [files = impl_->files.get()](const std::string& name, const std::string& content) {
    return files->put(name, content);
  };
}

std::vector<Event::Body> Leadership::first_events() const {
  const auto& before = impl_->before;
  if (!before || before->released || before->holder.id == impl_->place.server) return {};
  const Time now = live::system_clock_source()().real;
  const std::string evidence =
      fmt::format("{} gave no sign of life for {} ms; {} leads since then", before->holder.name,
                  impl_->silent_for.ns / kMillisecondNs, impl_->holder.name);
  say(evidence);
  return {StoreHealed{Symptom::LeaderLost, now - impl_->silent_for, evidence}};
}

void Leadership::stop_answering() { impl_->http.reset(); }
bool Leadership::leads() const { return impl_->keeper->leads(); }
bool Leadership::is_fenced() const { return impl_->fenced; }
void Leadership::release() { impl_->keeper->release(); }

std::optional<server::StandbyApi::View> Leadership::standing() const {
  if (leads()) return std::nullopt;
  return server::StandbyApi::View{
      "", fmt::format("this server's lease on the journal in {} is over, and the database has not "
                      "answered since",
                      impl_->target.shown)};
}

Result<std::unique_ptr<control::JournalReader>> Leadership::open_reader(
    const std::string& journal) {
  const auto target = pg::parse_target(journal);
  if (!target) return tl::unexpected(target.error());
  return pg::PostgresJournalReader::open(*target);
}

bool Leadership::is_address(const std::string& text) { return pg::is_target(text); }

#else

struct Leadership::Impl {};
Leadership::~Leadership() = default;
cli::Outcome<std::unique_ptr<Leadership>> Leadership::prepare(const cli::StateFolder&, Options) {
  return give_up(cli::kError, "--journal: {}", kNoPostgres);
}
cli::Outcome<std::unique_ptr<live::Store>> Leadership::await(const Ending&,
                                                             server::http::Address&) {
  std::abort();
}
Result<void> Leadership::fetch_files() { std::abort(); }
AgentDoor::Share Leadership::share() { std::abort(); }
std::vector<Event::Body> Leadership::first_events() const { std::abort(); }
void Leadership::stop_answering() { std::abort(); }
bool Leadership::leads() const { std::abort(); }
bool Leadership::is_fenced() const { std::abort(); }
void Leadership::release() { std::abort(); }
std::optional<server::StandbyApi::View> Leadership::standing() const { std::abort(); }
Result<std::unique_ptr<control::JournalReader>> Leadership::open_reader(const std::string&) {
  return fail(ErrorKind::Unsupported, "{}", kNoPostgres);
}
bool Leadership::is_address(const std::string& text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

#endif

}  // namespace gyre::apps
