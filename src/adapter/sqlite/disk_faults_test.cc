#include "adapter/sqlite/disk_faults.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "adapter/sqlite/test_kit.h"

namespace gyre::adapter::sqlite {
namespace {

DiskFaults::Before before_write;
int writes_seen = 0;

bool fails() {
  const int why = before_write(writes_seen++);
  if (why != 0) errno = why;
  return why != 0;
}

ssize_t write_or_fail(int file, const void* bytes, std::size_t size) {
  return fails() ? -1 : ::write(file, bytes, size);
}

ssize_t pwrite_or_fail(int file, const void* bytes, std::size_t size, off_t at) {
  return fails() ? -1 : ::pwrite(file, bytes, size, at);
}

/// See https://www.sqlite.org/c3ref/vfs.html on xSetSystemCall; null: the system's own again.
void set_calls(sqlite3_syscall_ptr write, sqlite3_syscall_ptr pwrite) {
  sqlite3_initialize();
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  system->xSetSystemCall(system, "write", write);
  system->xSetSystemCall(system, "pwrite", pwrite);
  system->xSetSystemCall(system, "pwrite64", pwrite);
}

}  // namespace

DiskFaults::DiskFaults(Before before) {
  before_write = std::move(before);
  writes_seen = 0;
  set_calls(reinterpret_cast<sqlite3_syscall_ptr>(&write_or_fail),
            reinterpret_cast<sqlite3_syscall_ptr>(&pwrite_or_fail));
}

DiskFaults::~DiskFaults() { set_calls(nullptr, nullptr); }

int DiskFaults::writes() const { return writes_seen; }

namespace {

class DiskFaultsTest : public ::testing::Test, protected JournalFolder {};

TEST_F(DiskFaultsTest, EachWriteGoesByUntilItEnds) {
  {
    const DiskFaults faults([](int write) { return write == 0 ? EIO : 0; });
    auto database = Database::open(path_, Database::Mode::ReadWrite, 0).value();
    EXPECT_FALSE(database.execute("CREATE TABLE one(a)"));
    EXPECT_TRUE(database.execute("CREATE TABLE one(a)"));
    EXPECT_GT(faults.writes(), 2);
  }
  sql("CREATE TABLE two(a)");
}

}  // namespace
}  // namespace gyre::adapter::sqlite
