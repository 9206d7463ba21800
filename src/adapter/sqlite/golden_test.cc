#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapter/sqlite/journal.h"
#include "adapter/sqlite/schema.h"
#include "codec/journal_codec.h"
#include "control/random_history.h"
#include "control/replay.h"

namespace gyre::adapter::sqlite {
namespace {

// Journals that released versions wrote, as SQL text. Every later version must open them, bring
// them forward, and come to the same commands (tests/replay/README.md).
const std::filesystem::path kGoldens = GYRE_SOURCE_DIR "/tests/replay";

class GoldenJournal : public ::testing::Test {
 protected:
  GoldenJournal() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gyre-golden-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~GoldenJournal() override { std::filesystem::remove_all(folder_); }

  std::string materialised(const std::filesystem::path& golden) {
    const std::string path = (folder_ / golden.filename()).string() + ".db";
    std::ifstream file(golden);
    std::ostringstream sql;
    sql << file.rdbuf();
    auto database = Database::open(path, Database::Mode::ReadWrite, 0).value();
    const auto done = database.execute(sql.str());
    EXPECT_TRUE(done) << golden << ": " << done.error().message;
    return path;
  }

  static std::vector<std::filesystem::path> goldens() {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(kGoldens)) {
      if (entry.path().extension() == ".sql") found.push_back(entry.path());
    }
    EXPECT_FALSE(found.empty());
    return found;
  }

  std::filesystem::path folder_;
};

TEST_F(GoldenJournal, StillOpensRecoversAndReplays) {
  for (const auto& golden : goldens()) {
    const std::string path = materialised(golden);
    {
      auto journal = SqliteJournal::open({path, Sync::Off});
      ASSERT_TRUE(journal) << journal.error().message;
      const auto recovered = (*journal)->recover({});
      ASSERT_TRUE(recovered) << recovered.error().message;
      EXPECT_TRUE(recovered->snapshot) << golden;
      EXPECT_GT(recovered->events_replayed, 0U) << golden;
    }
    auto reader = SqliteJournalReader::open(path);
    ASSERT_TRUE(reader) << reader.error().message;
    control::Controller core{control::Config{}};
    const auto report = control::replay(**reader, core);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->matches()) << golden;
    EXPECT_GT(report->commands, 20U) << golden;
  }
}

// Names and defaults of recorded fields are a file format.
TEST_F(GoldenJournal, TodaysTextIsTheSame) {
  for (const auto& golden : goldens()) {
    auto database = Database::open(materialised(golden), Database::Mode::ReadWrite, 0).value();
    auto select = database.prepare("SELECT kind, body FROM records ORDER BY position").value();
    while (select.step().value()) {
      const std::string body(select.text(1));
      EXPECT_EQ(body, select.integer(0) == 0 ? codec::encode(codec::decode_event(body).value())
                                             : codec::encode(codec::decode_command(body).value()));
    }
  }
}

void write_dump(Database& database, std::ostream& out) {
  const auto lines = [&](std::string_view query) {
    auto select = database.prepare(query).value();
    while (select.step().value()) out << select.text(0) << ";\n";
  };
  out << "PRAGMA application_id=" << kApplicationId
      << ";\nPRAGMA user_version=" << schema_scripts().size() << ";\nBEGIN;\n";
  lines("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL");
  lines("SELECT 'INSERT INTO meta VALUES(' || quote(key) || ',' || quote(value) || ')' FROM meta");
  lines(
      "SELECT 'INSERT INTO records VALUES(' || position || ',' || kind || ',' || at || ',' || seq "
      "|| ',' || quote(body) || ',' || checksum || ')' FROM records ORDER BY position");
  lines(
      "SELECT 'INSERT INTO snapshots VALUES(' || seq || ',' || part || ',' || parts || ',' || "
      "position || ',' || quote(body) || ',' || checksum || ')' FROM snapshots ORDER BY seq, part");
  out << "COMMIT;\n";
}

// Run by hand for a release that changes what is written; see tests/replay/README.md.
TEST_F(GoldenJournal, DISABLED_WriteOneOfThisVersion) {
  const std::string path = (folder_ / "new.db").string();
  {
    auto journal = SqliteJournal::open({path, Sync::Off}).value();
    control::RandomHistory life(2);
    for (int i = 1; i <= 250; ++i) {
      life.step(*journal);
      ASSERT_TRUE(journal->commit());
      if (i != 200) continue;
      ASSERT_TRUE(journal->save(life.core().state()));
    }
  }
  auto database = Database::open(path, Database::Mode::ReadWrite, 0).value();
  std::ofstream out(kGoldens / ("gyre-" GYRE_VERSION ".sql"));
  write_dump(database, out);
}

}  // namespace
}  // namespace gyre::adapter::sqlite
