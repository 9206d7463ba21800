#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gyre::adapter::sqlite {

/// A prepared statement. Belongs to its Database, which must outlive it.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  /// Parameters count from 1. The text must live until the next reset().
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);

  /// True if there is a row to read, false at the end.
  Result<bool> step();
  /// For statements without rows: runs it, and makes it ready for the next time.
  Result<void> run();
  void reset();

  /// Columns count from 0; valid until the next step().
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection to one database file. Used by one thread. Every error names the file, what SQLite
/// and the operating system say, and what to do.
class Database {
 public:
  enum class Mode : unsigned char { ReadWrite, ReadOnly };

  /// ReadWrite creates a missing file, readable by its owner only.
  static Result<Database> open(const std::string& path, Mode mode, int busy_timeout_ms);

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row of `sql`. Requires: it gives a row.
  Result<std::int64_t> integer(std::string_view sql);
  Result<std::string> text(std::string_view sql);

  /// Becomes a copy of what `other` is at this moment; whoever writes that one goes on meanwhile.
  Result<void> copy_all_of(Database& other);

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  Database(std::string path, sqlite3* connection);

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace gyre::adapter::sqlite
