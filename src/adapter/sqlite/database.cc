#include "adapter/sqlite/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gyre::adapter::sqlite {
namespace {

/// The disk is full, or the owner's part of it, where SQLite does not say SQLITE_FULL: as it writes
/// within a quota, and as the index of the log grows. A sync that fails is another matter: what had
/// been written before it may be lost.
bool lacks_room(int code, int system) {
  return (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE) &&
         (system == ENOSPC || system == EDQUOT);
}

ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return ErrorKind::Invalid;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::Conflict;
    case SQLITE_FULL:
      return ErrorKind::NoRoom;
    default:
      return ErrorKind::Internal;
  }
}

std::string_view advice(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return "; give the path of a Gyre journal";
    case SQLITE_CORRUPT:
      return "; restore a backup, or take what is whole of it into another folder with 'gyre "
             "backup "
             "restore'";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process holds it: stop that one";
    case SQLITE_FULL:
      return "; make room on its disk";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "; its folder must exist, and both must be writable";
    default:
      return "; look at its disk, then start again";
  }
}

/// SQLite quotes what it found, which in a damaged file may be anything.
std::string one_line(std::string text) {
  const auto odd = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), odd, ' ');
  constexpr std::size_t kTextMax = 200;
  if (text.size() > kTextMax) text = text.substr(0, kTextMax) + "...";
  return text;
}

/// Requires: it is called right after what has failed, since SQLite 3.40 does not remember why a
/// COMMIT failed, and errno does.
tl::unexpected<Error> failure(sqlite3* connection, std::string_view path) {
  const int last = errno;
  const int found = sqlite3_extended_errcode(connection);
  const int told = sqlite3_system_errno(connection);
  const int system = told == 0 && (found & 0xff) == SQLITE_IOERR ? last : told;
  const int code = lacks_room(found, system) ? SQLITE_FULL : found;
  return fail(kind_of(code), "journal '{}': {}{}{}{}", path, one_line(sqlite3_errmsg(connection)),
              system == 0 ? "" : ", ", system == 0 ? "" : std::strerror(system), advice(code));
}

// SQLite would make the file readable by all, and a journal holds its jobs' environment.
void create_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file >= 0) ::close(file);
}

int connect(const std::string& path, int flags, sqlite3*& connection) {
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(connection, 1);
  return sqlite3_exec(connection, "PRAGMA schema_version", nullptr, nullptr, nullptr);
}

// "%" and "?" would mean something in a URI.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement& Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* const connection = sqlite3_db_handle(statement_.get());
  return failure(connection, sqlite3_db_filename(connection, "main"));
}

Result<void> Statement::run() {
  const auto stepped = step();
  reset();
  if (!stepped) return tl::unexpected(stepped.error());
  return {};
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, static_cast<size_t>(size));
}

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Database::Database(std::string path, sqlite3* connection)
    : path_(std::move(path)), connection_(connection) {}

Result<Database> Database::open(const std::string& path, Mode mode, int busy_timeout_ms) {
  constexpr int kFlags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const bool writes = mode == Mode::ReadWrite;
  if (writes) create_private(path);
  if (!writes && ::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return fail(ErrorKind::NotFound, "journal '{}': there is no such file", path);
  }
  sqlite3* connection = nullptr;
  int code =
      connect(path, kFlags | (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY), connection);
  Database database(path, connection);
  if (connection == nullptr) return fail(ErrorKind::Internal, "journal '{}': no memory", path);
  // A closed journal in a folder that cannot be written (no place for the index of its log) is
  // complete in itself.
  const bool shut_out = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
  if (!writes && shut_out && ::access((path + "-wal").c_str(), F_OK) != 0 &&
      ::access(path.c_str(), R_OK) == 0) {
    code =
        connect(immutable_uri(path), kFlags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, connection);
    database.connection_.reset(connection);
  }
  if (code != SQLITE_OK) return failure(connection, path);
  sqlite3_busy_timeout(connection, busy_timeout_ms);
  return database;
}

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(connection_.get(), path_);
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return failure(connection_.get(), path_);
  }
  return Statement(statement);
}

Result<void> Database::copy_all_of(Database& other) {
  constexpr int kAllPages = -1;
  sqlite3_backup* const copying =
      sqlite3_backup_init(connection_.get(), "main", other.connection_.get(), "main");
  if (copying == nullptr) return failure(connection_.get(), path_);
  const int code = sqlite3_backup_step(copying, kAllPages);
  sqlite3_backup_finish(copying);
  if (code == SQLITE_DONE) return {};
  // Which of the two it was that failed shows in whose error it is.
  const bool own = sqlite3_errcode(connection_.get()) != SQLITE_OK;
  return own ? failure(connection_.get(), path_) : failure(other.connection_.get(), other.path_);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  if (auto row = statement->step(); !row) return tl::unexpected(row.error());
  return statement->integer(0);
}

Result<std::string> Database::text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  if (auto row = statement->step(); !row) return tl::unexpected(row.error());
  return std::string(statement->text(0));
}

}  // namespace gyre::adapter::sqlite
