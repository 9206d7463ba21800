#include "adapter/postgres/snapshots.h"

#include <string>

#include "codec/journal_codec.h"
#include "codec/record.h"

namespace gyre::adapter::postgres {
namespace {

constexpr int kSnapshotsKept = 2;

Result<void> done_or_error(const Result<Rows>& rows) {
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

}  // namespace

Result<void> save_snapshot(Connection& connection, const ControllerState& state,
                           std::int64_t position) {
  const auto seq = static_cast<std::int64_t>(state.seq.value);
  auto done = done_or_error(connection.ask("DELETE FROM snapshots WHERE seq = $1", {number(seq)}));
  if (!done) return done;
  const std::vector<std::string> parts = codec::encode(state);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = static_cast<std::int64_t>(i);
    done = done_or_error(connection.ask(
        "INSERT INTO snapshots(seq, part, parts, position, body, checksum) "
        "VALUES($1, $2, $3, $4, $5, $6)",
        {number(seq), number(part), number(static_cast<std::int64_t>(parts.size())),
         number(position), text(parts[i]), number(codec::part_checksum(seq, part, parts[i]))}));
    if (!done) return done;
  }
  return done_or_error(
      connection.ask("DELETE FROM snapshots WHERE seq NOT IN (SELECT DISTINCT seq FROM snapshots "
                     "ORDER BY seq DESC LIMIT $1)",
                     {number(kSnapshotsKept)}));
}

Result<std::vector<std::int64_t>> snapshot_seqs(Connection& connection) {
  const auto rows = connection.ask("SELECT DISTINCT seq FROM snapshots ORDER BY seq DESC");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::int64_t> seqs;
  for (int row = 0; row < rows->size(); ++row) seqs.push_back(rows->integer(row, 0));
  return seqs;
}

Result<void> drop_snapshots(Connection& connection, const std::vector<std::int64_t>& seqs) {
  if (seqs.empty()) return {};
  return done_or_error(
      connection.ask("DELETE FROM snapshots WHERE seq = ANY($1::bigint[])", {numbers(seqs)}));
}

Result<Snapshot> load_snapshot(Connection& connection, std::int64_t seq) {
  const auto damaged = [&](std::string_view how) {
    return fail(ErrorKind::Invalid, "journal '{}': the snapshot after event {} {}",
                connection.shown(), seq, how);
  };
  const auto rows = connection.ask(
      "SELECT part, parts, position, checksum, body FROM snapshots WHERE seq = $1 ORDER BY part",
      {number(seq)});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::string> parts;
  Snapshot snapshot;
  for (int row = 0; row < rows->size(); ++row) {
    const std::string_view body = rows->text(row, 4);
    if (rows->integer(row, 0) != row) return damaged("lacks a part");
    if (rows->integer(row, 3) != codec::part_checksum(seq, row, body)) {
      return damaged("has a wrong checksum");
    }
    snapshot.position = rows->integer(row, 2);
    parts.emplace_back(body);
  }
  if (parts.empty() || rows->integer(0, 1) != rows->size()) return damaged("lacks a part");
  auto state = codec::decode_state(parts);
  if (!state) return damaged(state.error().message);
  snapshot.state = std::move(*state);
  return snapshot;
}

}  // namespace gyre::adapter::postgres
