#include "server/api/server_facts.h"

#include <gtest/gtest.h>

#include "codec/utc.h"

namespace gyre::server {
namespace {

TEST(BackupNote, SaysWhatWasWritten) {
  const ServerFacts::Backup backup{*codec::parse_utc("2026-03-01T10:00:00.250Z"),
                                   "/backups/\"odd\"\n\xf0\x9f\x9a\x80.gyre"};
  const auto read = read_backup_note(write_backup_note(backup));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at, backup.at);
  EXPECT_EQ(read->file, backup.file);
}

TEST(BackupNote, ADamagedOneSaysNothing) {
  for (const char* text :
       {"", "{", "[]", "3", "{}", R"({"at":"2026-03-01T10:00:00Z"})", R"({"at":3,"file":"/b"})",
        R"({"at":"soon","file":"/b"})", R"({"at":"2026-03-01T10:00:00Z","file":""})"}) {
    EXPECT_FALSE(read_backup_note(text)) << text;
  }
}

}  // namespace
}  // namespace gyre::server
