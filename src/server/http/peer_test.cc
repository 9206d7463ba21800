#include "server/http/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace gyre::server::http {
namespace {

/// A connection over loopback, both ends here.
struct Loopback {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  int server = -1;
  LoopbackPair pair;

  Loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    pair.server_port = ntohs(address.sin_port);
    EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
    server = accept(listener, nullptr, nullptr);
    getsockname(client, reinterpret_cast<sockaddr*>(&address), &size);
    pair.client_port = ntohs(address.sin_port);
    std::memcpy(pair.client_address, &address.sin_addr, 4);
    std::memcpy(pair.server_address, &address.sin_addr, 4);
  }
  ~Loopback() {
    for (const int fd : {listener, client, server}) close(fd);
  }
};

std::string tcp_table() {
  std::ifstream file("/proc/net/tcp");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(PeerTest, BothSourcesNameTheOwner) {
  const Loopback loopback;
  const auto asked = owner_of_client(loopback.pair);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(*asked, geteuid());
  EXPECT_EQ(owner_in_table(loopback.pair, tcp_table()), geteuid());
}

TEST(PeerTest, AClosedClientHasNoOwner) {
  Loopback loopback;
  close(loopback.client);
  loopback.client = -1;
  const auto asked = owner_of_client(loopback.pair);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().kind, ErrorKind::NotFound);
  EXPECT_EQ(owner_in_table(loopback.pair, tcp_table()), std::nullopt);
}

TEST(PeerTest, OnlyAnEstablishedLineOfTheTableCounts) {
  LoopbackPair pair;
  pair.client_port = 0x1234;
  pair.server_port = 0x21C2;
  const unsigned char loopback[] = {127, 0, 0, 1};
  std::memcpy(pair.client_address, loopback, 4);
  std::memcpy(pair.server_address, loopback, 4);
  const std::string line =
      "   0: 0100007F:1234 0100007F:21C2 {} 00000000:00000000 00:00000000 "
      "00000000  1000        0 1 1 0 20 4 30 10 -1\n";
  const auto in_state = [&](const std::string& state) {
    std::string text = "  sl  local_address rem_address   st\n" + line;
    return owner_in_table(pair, text.replace(text.find("{}"), 2, state));
  };
  EXPECT_EQ(in_state("01"), 1000U);
  EXPECT_EQ(in_state("04"), std::nullopt);
  EXPECT_EQ(in_state("06"), std::nullopt);
  EXPECT_EQ(owner_in_table(pair, "garbage\n\n"), std::nullopt);
}

}  // namespace
}  // namespace gyre::server::http
