#include "adapter/process/line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "adapter/process/files.h"

namespace gyre::process {
namespace {

class LineTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    here_ = Fd(ends[0]);
    there_ = Fd(ends[1]);
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_end_ = Fd(ends[0]);
    write_end_ = Fd(ends[1]);
  }
  /// Nobody has the pipe's other end open any more.
  bool is_at_its_end() const {
    char byte = 0;
    return ::read(read_end_.get(), &byte, 1) == 0;
  }

  Fd here_;
  Fd there_;
  Fd read_end_;
  Fd write_end_;
};

TEST_F(LineTest, AWordComesWithItsDescriptors) {
  const std::vector<int> both{write_end_.get(), write_end_.get()};
  ASSERT_TRUE(send_word(here_.get(), "word", 4, both));
  std::array<char, 8> text{};
  const Received got = receive_word(there_.get(), text.data(), text.size(), 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(got.size)), "word");
  ASSERT_EQ(got.descriptors.size(), 2U);
  write_end_.reset();
  for (const int descriptor : got.descriptors) {
    EXPECT_EQ(::fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    EXPECT_FALSE(is_at_its_end());
    ::close(descriptor);
  }
  EXPECT_TRUE(is_at_its_end());
}

TEST_F(LineTest, MoreDescriptorsThanAWordMayHaveAreNeverThisProcesss) {
  std::array<int, kDescriptorsMax + 2> many{};
  many.fill(write_end_.get());
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof many)> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof many);
  std::memcpy(CMSG_DATA(control), many.data(), sizeof many);
  ASSERT_EQ(::sendmsg(here_.get(), &message, 0), 1);
  const Received got = receive_word(there_.get(), &byte, 1, 0);
  EXPECT_EQ(got.size, 1);
  EXPECT_EQ(got.descriptors.size(), kDescriptorsMax);
  for (const int descriptor : got.descriptors) ::close(descriptor);
  write_end_.reset();
  EXPECT_TRUE(is_at_its_end());
}

TEST_F(LineTest, WhoMayNotWaitIsToldThatTheLineIsFull) {
  while (send_word(here_.get(), "word", 4, {}, MSG_DONTWAIT)) {
  }
  EXPECT_EQ(errno, EAGAIN);
  there_.reset();
  EXPECT_FALSE(send_word(here_.get(), "word", 4));
}

}  // namespace
}  // namespace gyre::process
