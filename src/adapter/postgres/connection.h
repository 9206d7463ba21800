#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

struct pg_conn;
struct pg_result;

namespace gyre::adapter::postgres {

/// Where a database is. Holds no password: libpq takes that from PGPASSWORD, PGPASSFILE or a
/// service file.
struct Target {
  std::string url;    // as libpq takes it
  std::string shown;  // for messages: "postgresql://gyre@10.0.0.5:5432/gyre"
};

/// True for what begins as a PostgreSQL address does, "postgresql://" or "postgres://".
bool is_target(std::string_view text);

/// Errors: Invalid, it is no such address, or there is a password in it, which every user of the
/// machine could read; no message repeats it.
Result<Target> parse_target(const std::string& url);

/// A value for a statement's $1, $2 and so on.
struct Parameter {
  std::string bytes;
  bool binary = false;
};
Parameter number(std::int64_t value);
Parameter text(std::string_view value);
/// Of the types bigint[] and text[].
Parameter numbers(const std::vector<std::int64_t>& values);
Parameter texts(const std::vector<std::string_view>& values);

/// What a statement gave; rows and columns count from 0.
class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}

  int size() const;
  std::int64_t integer(int row, int column) const;
  std::string_view text(int row, int column) const;
  std::int64_t affected() const;  // rows that were changed

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

/// One connection to a database; the tables of the schema "gyre" are found by their names. Used by
/// one thread. Nothing waits longer than its patience, but for the system's look-up of the host's
/// name.
///
/// Every error names the database, what PostgreSQL says, and what to do. Kinds: Unavailable, the
/// connection is lost or cannot be had, or somebody held a lock for too long: a new connection may
/// do it, and whether the last statement was carried out is not known; NoRoom, its disk is full;
/// Invalid, its files are damaged; Internal, all else. After any of these but Unavailable the
/// statement has changed nothing.
class Connection {
 public:
  static Result<Connection> open(const Target& target, Duration patience);

  /// One statement.
  Result<Rows> ask(const std::string& sql, const std::vector<Parameter>& parameters = {});
  /// Several, without parameters; all or nothing, unless it has its own BEGIN and COMMIT.
  Result<void> run(const std::string& script);

  const std::string& shown() const { return shown_; }

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  Connection(std::string shown, Duration patience, pg_conn* connection)
      : shown_(std::move(shown)), patience_(patience), connection_(connection) {}
  Result<Rows> finish(bool sent);
  Result<void> flush(std::int64_t deadline);
  tl::unexpected<Error> lose(std::string_view how);

  std::string shown_;
  Duration patience_;
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace gyre::adapter::postgres
