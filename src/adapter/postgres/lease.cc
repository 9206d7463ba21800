#include "adapter/postgres/lease.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "adapter/postgres/schema.h"

namespace gyre::adapter::postgres {
namespace {

/// A connection that gives signs of life is of no use if it is slower than the lease.
constexpr Duration kKeeperPatience = milliseconds(1'000);

/// "0.12.1"; what is no number counts as 0.
std::array<int, 3> version_numbers(std::string_view text) {
  std::array<int, 3> numbers{};
  for (int& number : numbers) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto used = static_cast<std::size_t>(read.ptr - text.data());
    text.remove_prefix(std::min(text.size(), used + 1));
  }
  return numbers;
}

tl::unexpected<Error> fenced_by(std::string_view shown, const std::optional<Lease>& lease) {
  return fail(ErrorKind::Conflict,
              "another server leads on the journal {}: {}; this one may write no more", shown,
              lease ? lease->holder.name : "its name is gone");
}

/// So that what was sent before cannot be written behind the next one's back.
Result<void> end_writer(Connection& connection) {
  const auto ended = connection.ask(
      "SELECT pg_terminate_backend(a.pid) FROM lease l JOIN pg_stat_activity a ON a.pid = "
      "l.backend AND a.backend_start = l.backend_start WHERE a.pid <> pg_backend_pid()");
  // Another role's may not be ended; then the row's lock is waited for.
  if (!ended && ended.error().kind == ErrorKind::Unavailable) return tl::unexpected(ended.error());
  return {};
}

constexpr const char* kOwnBackend =
    "backend = pg_backend_pid(), backend_start = (SELECT backend_start FROM pg_stat_activity "
    "WHERE pid = pg_backend_pid())";

bool is_free(const std::optional<Lease>& lease, const TakeOptions& options) {
  return !lease || lease->released || lease->holder.id == options.holder.id ||
         lease->mark == options.over;
}

/// Requires: the schema is of that version.
Result<void> ask_whether_accepted(Connection& connection, std::int64_t version,
                                  const TakeOptions& options) {
  if (!options.accepts) return {};
  const auto cluster = version == 0 ? Result<std::string>(std::string()) : cluster_id(connection);
  if (!cluster) return tl::unexpected(cluster.error());
  return options.accepts(*cluster);
}

/// Requires: a transaction that holds the schema's lock.
Result<Taken> take_locked(Connection& connection, const TakeOptions& options) {
  const auto scripts = schema_scripts();
  const auto version = schema_version(connection, scripts.size());
  if (!version) return tl::unexpected(version.error());
  if (auto taken = ask_whether_accepted(connection, *version, options); !taken) {
    return tl::unexpected(taken.error());
  }
  std::optional<Lease> before;
  if (*version > 0) {
    const auto locked = connection.ask("SELECT 1 FROM lease, pulse FOR UPDATE");
    if (!locked) return tl::unexpected(locked.error());
    auto read = read_lease(connection);
    if (!read) return tl::unexpected(read.error());
    before = std::move(*read);
  }
  if (!is_free(before, options)) {
    return fail(ErrorKind::Conflict, "another server leads on the journal {}: {}",
                connection.shown(), before->holder.name);
  }
  if (auto done = run_scripts(connection, *version, scripts); !done) {
    return tl::unexpected(done.error());
  }
  // By the time too: a database that is restored from a backup must go on with a later term.
  const auto taken = connection.ask(
      fmt::format("INSERT INTO lease AS l(term, session, holder, name, version, released, "
                  "node_lease_s, backend, backend_start) "
                  "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000, 1, $1, "
                  "$2, '{}', false, $3, pid, backend_start FROM pg_stat_activity "
                  "WHERE pid = pg_backend_pid() ON CONFLICT (one) DO UPDATE SET "
                  "term = greatest(l.term + 1, excluded.term), session = 1, holder = $1, "
                  "name = $2, version = excluded.version, released = false, "
                  "node_lease_s = greatest(l.node_lease_s, $3), backend = excluded.backend, "
                  "backend_start = excluded.backend_start RETURNING term, node_lease_s",
                  GYRE_VERSION),
      {text(options.holder.id), text(options.holder.name), number(options.node_lease_s)});
  if (!taken) return tl::unexpected(taken.error());
  const std::int64_t term = taken->integer(0, 0);
  const auto beating = connection.ask(
      "INSERT INTO pulse(term, beat) VALUES($1, 0) ON CONFLICT (one) DO UPDATE SET term = $1, "
      "beat = 0",
      {number(term)});
  if (!beating) return tl::unexpected(beating.error());
  return Taken{term, 1, std::move(before), taken->integer(0, 1)};
}

}  // namespace

Result<std::optional<Lease>> read_lease(Connection& connection) {
  const auto rows = connection.ask(
      "SELECT l.term, l.session, p.beat, l.holder, l.name, l.version, l.released::int, "
      "l.node_lease_s FROM lease l, pulse p");
  if (!rows) return tl::unexpected(rows.error());
  if (rows->size() == 0) return std::optional<Lease>();
  Lease lease{{rows->integer(0, 0), rows->integer(0, 1), rows->integer(0, 2)},
              {std::string(rows->text(0, 3)), std::string(rows->text(0, 4))},
              std::string(rows->text(0, 5)),
              rows->integer(0, 6) == 1,
              rows->integer(0, 7)};
  if (version_numbers(lease.version) > version_numbers(GYRE_VERSION)) {
    return fail(ErrorKind::Unsupported,
                "journal '{}': a server of Gyre {} has led on it ({}), and this is {}, which is "
                "older; bring this one up to date first",
                connection.shown(), lease.version, lease.holder.name, GYRE_VERSION);
  }
  return std::optional(std::move(lease));
}

void LeaseWatch::saw(const LeaseMark& mark, Duration asked, Duration answered) {
  if (mark_ != mark) {
    mark_ = mark;
    since_ = answered;
  }
  silent_for_ = std::max(asked - since_, Duration{});
  over_ = silent_for_ >= kLease + kLeaseMargin;
}

Result<Taken> take_lease(Connection& connection, const TakeOptions& options) {
  const auto version = schema_version(connection, schema_scripts().size());
  if (!version) return tl::unexpected(version.error());
  if (auto taken = ask_whether_accepted(connection, *version, options); !taken) {
    return tl::unexpected(taken.error());
  }
  if (*version > 0) {
    const auto lease = read_lease(connection);
    if (!lease) return tl::unexpected(lease.error());
    if (is_free(*lease, options)) {
      if (auto done = end_writer(connection); !done) return tl::unexpected(done.error());
    }
  }
  return transact(connection, [&]() -> Result<Taken> {
    if (auto locked = schema_lock(connection); !locked) return tl::unexpected(locked.error());
    return take_locked(connection, options);
  });
}

Result<std::int64_t> take_session(Connection& connection, std::int64_t term) {
  const auto lease = read_lease(connection);
  if (!lease) return tl::unexpected(lease.error());
  if (!*lease || (*lease)->mark.term != term) return fenced_by(connection.shown(), *lease);
  if (auto done = end_writer(connection); !done) return tl::unexpected(done.error());
  const auto taken = connection.ask(
      fmt::format("UPDATE lease SET session = session + 1, {} WHERE term = $1 RETURNING session",
                  kOwnBackend),
      {number(term)});
  if (!taken) return tl::unexpected(taken.error());
  if (taken->size() == 0) return fenced_by(connection.shown(), std::nullopt);
  return taken->integer(0, 0);
}

struct LeaseKeeper::Impl {
  Options options;
  std::atomic<std::int64_t> until_ns{0};  // of the clock of `now`
  std::atomic<bool> fenced = false;
  std::mutex mutex{};
  std::condition_variable changed{};
  bool quit = false;
  std::optional<Connection> connection{};  // of the thread
  std::string last_trouble{};
  std::thread thread{};

  void run();
  void beat();
  Result<bool> beat_once();
  void trouble(const Error& why);
};

/// Every try begins anew a beat after the one before has ended: the patience bounds it.
void LeaseKeeper::Impl::run() {
  std::unique_lock lock(mutex);
  while (!quit && !fenced) {
    lock.unlock();
    beat();
    lock.lock();
    changed.wait_for(lock, std::chrono::nanoseconds(kBeat.ns), [this] { return quit; });
  }
}

/// False: another server leads.
Result<bool> LeaseKeeper::Impl::beat_once() {
  if (!connection) {
    auto opened = Connection::open(options.target, kKeeperPatience);
    if (!opened) return tl::unexpected(opened.error());
    connection.emplace(std::move(*opened));
  }
  const auto done =
      connection->ask("UPDATE pulse SET beat = beat + 1 WHERE term = $1", {number(options.term)});
  if (!done) return tl::unexpected(done.error());
  return done->affected() == 1;
}

void LeaseKeeper::Impl::beat() {
  const Duration asked = options.now();
  const auto alive = beat_once();
  if (!alive) return trouble(alive.error());
  if (!*alive) {
    const auto lease = read_lease(*connection);
    fenced = true;
    until_ns = 0;
    return options.fenced(fenced_by(options.target.shown, lease ? *lease : std::nullopt).value());
  }
  last_trouble.clear();
  until_ns = (asked + kLease).ns;
}

void LeaseKeeper::Impl::trouble(const Error& why) {
  if (why.kind == ErrorKind::Unavailable) connection.reset();
  if (std::exchange(last_trouble, why.message) != why.message) options.notice(why.message);
}

LeaseKeeper::LeaseKeeper(Options options) : impl_(new Impl{std::move(options)}) {
  impl_->until_ns = (impl_->options.taken + kLease).ns;
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

LeaseKeeper::~LeaseKeeper() {
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->quit = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool LeaseKeeper::leads() const { return impl_->options.now().ns < impl_->until_ns.load(); }

void LeaseKeeper::release() {
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->quit = true;
  }
  impl_->changed.notify_all();
  if (!impl_->thread.joinable()) return;  // it has been released
  impl_->thread.join();
  if (!impl_->fenced) impl_->beat();  // another server may lead, and nobody has told us yet
  impl_->until_ns = 0;
  if (impl_->fenced || !impl_->connection) return;
  static_cast<void>(impl_->connection->ask("UPDATE lease SET released = true WHERE term = $1",
                                           {number(impl_->options.term)}));
}

}  // namespace gyre::adapter::postgres
