#include "adapter/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace gyre::adapter::postgres {
namespace {

std::int64_t now_ms() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

std::int64_t deadline_after(Duration patience) { return now_ms() + patience.ns / 1'000'000; }

/// False when the deadline is over.
bool await(int socket, bool to_write, std::int64_t deadline) {
  pollfd one{socket, static_cast<short>(POLLIN | (to_write ? POLLOUT : 0)), 0};
  for (;;) {
    const std::int64_t left = deadline - now_ms();
    if (left <= 0) return false;
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

/// libpq ends its messages with a newline, and puts several lines into some.
std::string one_line(std::string_view text) {
  std::string line(text);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  constexpr std::size_t kLineMax = 300;
  if (line.size() > kLineMax) line = line.substr(0, kLineMax) + "...";
  return line;
}

/// By SQLSTATE (PostgreSQL's documentation, Appendix A): the connection is gone, or goes.
bool is_lost(std::string_view state) {
  return state.starts_with("08") || state.starts_with("57P") || state == "25P03" || state.empty();
}

/// Unavailable: also a lock that somebody holds for too long, or a statement that was cancelled.
ErrorKind kind_of(std::string_view state) {
  if (is_lost(state) || state == "55P03" || state.starts_with("40") || state == "57014") {
    return ErrorKind::Unavailable;
  }
  if (state == "53100") return ErrorKind::NoRoom;
  if (state == "XX001" || state == "XX002") return ErrorKind::Invalid;
  return ErrorKind::Internal;
}

std::string_view advice(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::NoRoom:
      return "; make room on its disk";
    case ErrorKind::Invalid:
      return "; its files are damaged: restore a backup of the database";
    case ErrorKind::Internal:
      return "; see the database's log";
    default:
      return "";
  }
}

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[bytes - 1 - i] = static_cast<char>(value >> (8 * i));
  }
  return text;
}

/// The head of a one-dimensional array without nulls (array_send() in PostgreSQL's arrayfuncs.c).
std::string array_head(std::uint64_t element_type, std::size_t size) {
  constexpr std::size_t kWord = 4;
  return big_endian(1, kWord) + big_endian(0, kWord) + big_endian(element_type, kWord) +
         big_endian(size, kWord) + big_endian(1, kWord);
}

constexpr std::uint64_t kTypeBigint = 20;
constexpr std::uint64_t kTypeText = 25;

/// For libpq: pointers into parameters that live as long as it.
struct ParameterList {
  explicit ParameterList(const std::vector<Parameter>& parameters) {
    for (const Parameter& parameter : parameters) {
      values.push_back(parameter.bytes.c_str());
      lengths.push_back(static_cast<int>(parameter.bytes.size()));
      formats.push_back(parameter.binary ? 1 : 0);
    }
  }
  int size() const { return static_cast<int>(values.size()); }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
};

/// What every connection of ours is set to.
constexpr const char* kSettings =
    "SET search_path = gyre; SET client_min_messages = error; SET standard_conforming_strings = on;"
    "SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '60s'";

}  // namespace

bool is_target(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

Result<Target> parse_target(const std::string& url) {
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(
      is_target(url) ? PQconninfoParse(url.c_str(), nullptr) : nullptr);
  if (!options) {
    return fail(ErrorKind::Invalid,
                "that is no address of a PostgreSQL database; it must look like "
                "postgresql://USER@HOST/DATABASE");
  }
  const auto value = [&](std::string_view keyword) -> std::string {
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
      if (keyword == option->keyword) return option->val == nullptr ? "" : option->val;
    }
    return "";
  };
  if (!value("password").empty() || !value("sslpassword").empty()) {
    return fail(ErrorKind::Invalid,
                "a password in an address can be read by every user of this machine: leave it out, "
                "and set PGPASSWORD, or PGPASSFILE or ~/.pgpass (docs/guide/high-availability.md)");
  }
  std::string shown = "postgresql://";
  if (const std::string user = value("user"); !user.empty()) shown += user + "@";
  shown += value("host").empty() ? value("hostaddr") : value("host");
  if (const std::string port = value("port"); !port.empty()) shown += ":" + port;
  if (const std::string name = value("dbname"); !name.empty()) shown += "/" + name;
  if (const std::string service = value("service"); !service.empty()) {
    shown += "?service=" + service;
  }
  return Target{url, std::move(shown)};
}

Parameter number(std::int64_t value) { return {std::to_string(value), false}; }
Parameter text(std::string_view value) { return {std::string(value), false}; }

Parameter numbers(const std::vector<std::int64_t>& values) {
  std::string bytes = array_head(kTypeBigint, values.size());
  for (const std::int64_t value : values) {
    bytes += big_endian(8, 4) + big_endian(static_cast<std::uint64_t>(value), 8);
  }
  return {std::move(bytes), true};
}

Parameter texts(const std::vector<std::string_view>& values) {
  std::string bytes = array_head(kTypeText, values.size());
  for (const std::string_view value : values) {
    bytes += big_endian(value.size(), 4);
    bytes += value;
  }
  return {std::move(bytes), true};
}

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }
int Rows::size() const { return PQntuples(result_.get()); }

std::string_view Rows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Rows::integer(int row, int column) const {
  const std::string_view digits = text(row, column);
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::int64_t Rows::affected() const {
  const std::string_view digits = PQcmdTuples(result_.get());
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

void Connection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Result<Connection> Connection::open(const Target& target, Duration patience) {
  // What the address says counts more: it comes last.
  const std::array keywords{"fallback_application_name",
                            "client_encoding",
                            "target_session_attrs",
                            "keepalives_idle",
                            "tcp_user_timeout",
                            "dbname",
                            static_cast<const char*>(nullptr)};
  const std::array values{"gyre",
                          "UTF8",
                          "read-write",
                          "5",
                          "5000",
                          target.url.c_str(),
                          static_cast<const char*>(nullptr)};
  Connection made(target.shown, patience,
                  PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/1));
  pg_conn* const raw = made.connection_.get();
  if (raw == nullptr) return fail(ErrorKind::Internal, "journal '{}': no memory", target.shown);
  // What it would print comes as an error too.
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
  const std::int64_t deadline = deadline_after(patience);
  auto step = PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (PQstatus(raw) == CONNECTION_BAD || step == PGRES_POLLING_FAILED) {
      return made.lose(one_line(PQerrorMessage(raw)));
    }
    const int socket = PQsocket(raw);
    pollfd one{socket, static_cast<short>(step == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    const std::int64_t left = deadline - now_ms();
    if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) == 0) {
      return made.lose("it does not answer");
    }
    step = PQconnectPoll(raw);
  }
  PQsetnonblocking(raw, 1);
  if (auto set = made.run(kSettings); !set) return tl::unexpected(set.error());
  return made;
}

/// What the last statement came to is not known from now on.
tl::unexpected<Error> Connection::lose(std::string_view how) {
  connection_.reset();
  return fail(ErrorKind::Unavailable, "the journal's database {} is out of reach: {}", shown_, how);
}

Result<void> Connection::flush(std::int64_t deadline) {
  pg_conn* const raw = connection_.get();
  for (int left = PQflush(raw); left != 0; left = PQflush(raw)) {
    if (left < 0) return lose(one_line(PQerrorMessage(raw)));
    if (!await(PQsocket(raw), true, deadline)) return lose("it does not answer");
    if (PQconsumeInput(raw) == 0) return lose(one_line(PQerrorMessage(raw)));
  }
  return {};
}

/// The last statement's rows, or its first error.
Result<Rows> Connection::finish(bool sent) {
  pg_conn* const raw = connection_.get();
  const std::int64_t deadline = deadline_after(patience_);
  if (!sent) return lose(one_line(PQerrorMessage(raw)));
  if (auto flushed = flush(deadline); !flushed) return tl::unexpected(flushed.error());
  std::optional<Rows> rows;
  std::optional<Error> failed;
  bool lost = false;
  for (;;) {
    while (PQisBusy(raw) != 0) {
      if (!await(PQsocket(raw), false, deadline)) return lose("it does not answer");
      if (PQconsumeInput(raw) == 0) return lose(one_line(PQerrorMessage(raw)));
    }
    pg_result* const result = PQgetResult(raw);
    if (result == nullptr) break;
    Rows one(result);
    const auto status = PQresultStatus(result);
    const bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!good && !failed) {
      const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      lost = is_lost(state == nullptr ? "" : state);
      const ErrorKind kind = kind_of(state == nullptr ? "" : state);
      failed = Error{kind, fmt::format("journal '{}': {}{}", shown_,
                                       one_line(PQresultErrorMessage(result)), advice(kind))};
    }
    rows.emplace(std::move(one));
  }
  if (lost) return lose(failed->message);
  if (failed) return tl::unexpected(*failed);
  if (!rows) return lose("it gave no answer");
  return std::move(*rows);
}

Result<Rows> Connection::ask(const std::string& sql, const std::vector<Parameter>& parameters) {
  if (!connection_) return lose("the connection was lost");
  const ParameterList list(parameters);
  return finish(PQsendQueryParams(connection_.get(), sql.c_str(), list.size(), nullptr,
                                  list.values.data(), list.lengths.data(), list.formats.data(),
                                  0) == 1);
}

Result<void> Connection::run(const std::string& script) {
  if (!connection_) return lose("the connection was lost");
  const auto done = finish(PQsendQuery(connection_.get(), script.c_str()) == 1);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace gyre::adapter::postgres
