#include "adapter/sqlite/snapshots.h"

#include <fmt/ranges.h>

#include <string>

#include "codec/journal_codec.h"
#include "codec/record.h"

namespace gyre::adapter::sqlite {

Result<void> save_snapshot(Database& database, const ControllerState& state,
                           std::int64_t position) {
  auto insert = database.prepare(
      "INSERT INTO snapshots(seq, part, parts, position, body, checksum) "
      "VALUES(?, ?, ?, ?, ?, ?)");
  if (!insert) return tl::unexpected(insert.error());
  const auto seq = static_cast<std::int64_t>(state.seq.value);
  if (auto done = database.execute(fmt::format("DELETE FROM snapshots WHERE seq = {}", seq));
      !done) {
    return done;
  }
  const std::vector<std::string> parts = codec::encode(state);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = static_cast<std::int64_t>(i);
    insert->bind(1, seq)
        .bind(2, part)
        .bind(3, static_cast<std::int64_t>(parts.size()))
        .bind(4, position)
        .bind(5, std::string_view(parts[i]))
        .bind(6, static_cast<std::int64_t>(codec::part_checksum(seq, part, parts[i])));
    if (auto done = insert->run(); !done) return done;
  }
  return database.execute(
      fmt::format("DELETE FROM snapshots WHERE seq NOT IN (SELECT DISTINCT seq FROM snapshots "
                  "ORDER BY seq DESC LIMIT {})",
                  kSnapshotsKept));
}

Result<std::vector<std::int64_t>> snapshot_seqs(Database& database) {
  auto select = database.prepare("SELECT DISTINCT seq FROM snapshots ORDER BY seq DESC");
  if (!select) return tl::unexpected(select.error());
  std::vector<std::int64_t> seqs;
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return seqs;
    seqs.push_back(select->integer(0));
  }
}

Result<void> drop_snapshots(Database& database, const std::vector<std::int64_t>& seqs) {
  if (seqs.empty()) return {};
  return database.execute(
      fmt::format("DELETE FROM snapshots WHERE seq IN ({})", fmt::join(seqs, ", ")));
}

Result<Snapshot> load_snapshot(Database& database, std::int64_t seq) {
  const auto damaged = [&](std::string_view how) {
    return fail(ErrorKind::Invalid, "journal '{}': the snapshot after event {} {}", database.path(),
                seq, how);
  };
  auto select = database.prepare(
      "SELECT part, parts, position, checksum, body FROM snapshots WHERE seq = ? ORDER BY part");
  if (!select) return tl::unexpected(select.error());
  select->bind(1, seq);
  std::vector<std::string> parts;
  std::size_t parts_expected = 0;
  Snapshot snapshot;
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const std::string_view body = select->text(4);
    const auto part = static_cast<std::int64_t>(parts.size());
    if (select->integer(0) != part) return damaged("lacks a part");
    if (select->integer(3) != codec::part_checksum(seq, part, body)) {
      return damaged("has a wrong checksum");
    }
    parts_expected = static_cast<std::size_t>(select->integer(1));
    snapshot.position = select->integer(2);
    parts.emplace_back(body);
  }
  if (parts.size() != parts_expected) return damaged("lacks a part");
  auto state = codec::decode_state(parts);
  if (!state) return damaged(state.error().message);
  snapshot.state = std::move(*state);
  return snapshot;
}

}  // namespace gyre::adapter::sqlite
