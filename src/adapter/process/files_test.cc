#include "adapter/process/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sched.h>
#include <sys/wait.h>

#include "adapter/process/folder.h"
#include "adapter/process/machine.h"
#include "adapter/process/process_tree.h"
#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(Records, AreReadBackWhateverTheyHold) {
  rc::check([](const std::vector<std::pair<std::string, std::string>>& pairs) {
    Records records;
    for (auto [name, value] : pairs) {
      std::erase(name, '\0');
      std::erase(name, '=');
      std::erase(value, '\0');
      records.emplace_back(name, value);
    }
    const auto read = decode(encode(records));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == records);
  });
}

TEST(Records, RefuseWhatIsCutShort) {
  const std::string whole = encode(Records{{"kind", "exited"}, {"code", "3"}});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (whole[size - 1] == '\0') continue;
    EXPECT_FALSE(decode(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode(std::string("no equals sign\0a=b\0", 19)));
}

TEST(SupervisorSpec, IsReadBack) {
  SupervisorSpec spec{.key = "1.2.3",
                      .command = {"sh", "-c", "echo \"a=b\"\n"},
                      .env = {"A=1", "B=x=y"},
                      .working_directory = "/tmp",
                      .memory = {64},
                      .groups = {.folders = {"/a", "/b"}, .settings = {{"/a/cpu.max", "1 2"}}}};
  const auto read = SupervisorSpec::decode(spec.encode());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->encode(), spec.encode());
  EXPECT_EQ(read->command, spec.command);
  EXPECT_EQ(read->env, spec.env);
  EXPECT_EQ(read->groups.settings, spec.groups.settings);
  EXPECT_FALSE(SupervisorSpec::decode(encode(Records{{"key", "1.2.3"}})));
}

class FilesTest : public testing::Test {
 protected:
  test::TemporaryFolder temporary_;
  Fd folder_ = std::move(*open_folder(temporary_ / "."));
};

TEST_F(FilesTest, AFileIsReplacedAsAWhole) {
  EXPECT_EQ(*read_file(folder_, "name"), std::nullopt);
  EXPECT_TRUE(replace_file(folder_, "name", "long content", Sync::Yes));
  EXPECT_TRUE(replace_file(folder_, "name", "short", Sync::No));
  EXPECT_EQ(*read_file(folder_, "name"), "short");
  EXPECT_FALSE(exists(folder_, "name.tmp"));
}

TEST_F(FilesTest, AFileBecomesAnother) {
  EXPECT_FALSE(recycle_file(folder_, "old", "name", "content"));
  ASSERT_TRUE(replace_file(folder_, "old", "a long secret", Sync::No));
  EXPECT_TRUE(recycle_file(folder_, "old", "name", "content"));
  EXPECT_EQ(*read_file(folder_, "name"), "content");
  EXPECT_FALSE(exists(folder_, "old"));
}

TEST_F(FilesTest, ErrorsNameTheFile) {
  ASSERT_EQ(::mkdirat(folder_.get(), "name", 0700), 0);
  const auto replaced = replace_file(folder_, "name", "content", Sync::No);
  ASSERT_FALSE(replaced);
  EXPECT_THAT(replaced.error().message, HasSubstr("/name: Is a directory"));
  EXPECT_FALSE(read_file(folder_, "name"));
  EXPECT_TRUE(replace_file(folder_, "large", std::string(100, 'x'), Sync::No));
  EXPECT_FALSE(read_file(folder_, "large", 99));
}

TEST_F(FilesTest, TheLockSaysWhetherASupervisorLives) {
  auto first = inspect(folder_);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->supervised);
  ASSERT_TRUE(first->lock);
  const auto second = inspect(folder_);
  EXPECT_TRUE(second->supervised);
  EXPECT_FALSE(second->lock);
  first->lock.reset();
  EXPECT_FALSE(inspect(folder_)->supervised);
}

TEST(ProcessTree, KnowsDescendantsAndMarks) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execle("/bin/sh", "sh", "-c", "sleep 1000 & wait", nullptr,
             std::vector<const char*>{"GYRE_TASK=tree/1.1.0", nullptr}.data());
    ::_exit(127);
  }
  while (descendants(::getpid()).size() < 2) ::sched_yield();
  while (marked("tree/1.1.0").size() < 2) ::sched_yield();
  EXPECT_THAT(descendants(::getpid()), Contains(child));
  EXPECT_THAT(marked("tree/1.1.0"), Contains(child));
  EXPECT_THAT(marked("tree/1.1"), testing::IsEmpty());
  for (const pid_t pid : marked("tree/1.1.0")) ::kill(pid, SIGKILL);
  EXPECT_TRUE(test::wait_gone(child));
  ::waitpid(child, nullptr, 0);
}

TEST(Machine, HasSomething) {
  const act::Machine machine = read_machine();
  EXPECT_FALSE(machine.name.empty());
  EXPECT_GT(machine.cpu.value, 0);
  EXPECT_GT(machine.memory.value, 0);
}

}  // namespace
}  // namespace gyre::process
